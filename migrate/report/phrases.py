"""More of the catalogue of `texts`: the page that watches a run, the forecast, repeated and overlapping studies."""

from __future__ import annotations

PHRASES: dict[str, tuple[str, str]] = {
    "word.owner": ("Owner", "Responsable"),
    "word.due": ("Due", "Échéance"),
    "word.operator": ("Operator", "Opérateur"),
    "word.account": ("Account", "Compte"),
    "word.stages": ("Stages", "Étapes"),
    "figure.exceptions.undecided": ("Undecided", "Sans décision"),
    "figure.exceptions.unowned": ("Without an owner", "Sans responsable"),
    "figure.exceptions.overdue": ("Overdue", "En retard"),
    "table.runs": ("Runs: who, when, with what", "Exécutions\u00a0: qui, quand, avec quoi"),
    "empty.runs": ("Nobody has run anything yet.", "Personne n\u2019a encore rien exécuté."),
    "certificate.operators": ("The migration was run by: {names}.", "La migration a été exécutée par\u00a0: {names}."),
    "certificate.packs": ("Rule packs: {packs}.", "Jeux de règles\u00a0: {packs}."),
    "certificate.undecided": (
        "Exceptions nobody has decided yet: {studies}. Signing accepts none of them.",
        "Exceptions encore sans décision\u00a0: {studies}. La signature n\u2019en accepte aucune.",
    ),
    "flow.found": ("Found", "Trouvées"),
    "table.days": ("Run sheet: what was moved each day (UTC)", "Journal quotidien\u00a0: volume par jour (UTC)"),
    "empty.days": ("Nothing was moved yet.", "Rien n\u2019a encore été migré."),
    "word.day": ("Day", "Jour"),
    "word.minutes_closed": ("Minutes closed by the calendar", "Minutes fermées par l\u2019horaire"),
    "word.minutes_slowed": ("Minutes slowed for the source", "Minutes ralenties pour la source"),
    "word.instances_received": ("Instances received", "Instances reçues"),
    "word.instances_uploaded": ("Instances sent", "Instances envoyées"),
    "word.instances_verified": ("Instances verified", "Instances vérifiées"),
    "word.took": ("Minutes", "Minutes"),
    "certificate.four_eyes": (
        "Whoever signs, or accepted an exception, is another person than whoever ran the migration.",
        "Quiconque signe, ou a accepté une exception, est une autre personne que celle qui a exécuté la migration.",
    ),
    "overlap.title": ("Overlap and repeated exams", "Doublons et examens répétés"),
    "overlap.lead": (
        "What the archive holds twice: a hint for people, never a reason to leave a study behind.",
        "Ce que l\u2019archive contient en double\u00a0: une indication, jamais un motif pour laisser une étude.",
    ),
    "overlap.meaning": (
        "A repeated exam: same person, same modality, same description, at most {days} days after another study.",
        "Examen répété\u00a0: même personne, même modalité, même description, au plus {days} jours après une autre étude.",
    ),
    "figure.overlap.shared": ("Studies in several sources", "Études dans plusieurs sources"),
    "figure.overlap.repeated": ("Repeated exams", "Examens répétés"),
    "table.shared": ("The same study in several sources", "La même étude dans plusieurs sources"),
    "table.repeated": ("Repeated exams by modality", "Examens répétés par modalité"),
    "table.repeats": ("Each repeated exam", "Chaque examen répété"),
    "empty.shared": ("No study is in more than one source.", "Aucune étude ne figure dans plus d\u2019une source."),
    "empty.repeated": ("No exam was repeated.", "Aucun examen répété."),
    "empty.repeats": ("No exam was repeated.", "Aucun examen répété."),
    "word.sources": ("Sources", "Sources"),
    "word.earlier": ("Study before it", "Étude précédente"),
    "word.days": ("Days between", "Jours d\u2019écart"),
    "figure.forecast.end": ("Done by", "Fin prévue"),
    "figure.forecast.left": ("Studies still to move", "Études restant à migrer"),
    "figure.forecast.bottleneck": ("Held up by", "Freiné par"),
    "forecast.between": ("8 times of 10 between {low} and {high}", "8 fois sur 10 entre le {low} et le {high}"),
    "forecast.assumed": (
        (
            "Assumed: {hours} open hours a week, {source} associations with the source, {destination} with the destination, "
            "times learnt from the last {studies} studies; {work} hours of work."
        ),
        (
            "Hypothèses\u00a0: {hours} heures ouvertes par semaine, {source} associations avec la source, {destination} avec la "
            "destination, durées apprises des {studies} dernières études\u00a0; {work} heures de travail."
        ),
    ),
    "table.busy": ("How busy each stage would be", "Occupation prévue de chaque étape"),
    "word.busy": ("Busy", "Occupation"),
    "delta.title": ("Changes and cut-over", "Changements et bascule"),
    "delta.lead": (
        "A clinical archive goes on changing while it is moved. Rounds follow until one of them sees no change.",
        "Une archive clinique change pendant sa migration. Des passes se suivent jusqu\u2019à ce qu\u2019une n\u2019en voie plus.",
    ),
    "delta.freeze_is": (
        (
            "The freeze: a last look ({crawl} min), moving what is left ({move} min), and a look that proves that nothing "
            "is. Per hour, {changes} studies change and {moved} are moved."
        ),
        (
            "Le gel\u00a0: un dernier passage ({crawl} min), la migration du reste ({move} min), puis un passage qui prouve "
            "qu\u2019il ne reste rien. Par heure, {changes} études changent et {moved} sont migrées."
        ),
    ),
    "delta.diverges": (
        "No freeze is long enough: per hour, {changes} studies change and only {moved} are moved.",
        "Aucun gel ne suffit\u00a0: par heure, {changes} études changent et seulement {moved} sont migrées.",
    ),
    "figure.delta.rounds": ("Delta rounds", "Passes"),
    "figure.delta.changes": ("Changes in the last round", "Changements à la dernière passe"),
    "figure.delta.fixed_point": ("Nothing changes any more", "Plus rien ne change"),
    "figure.delta.freeze": ("Minutes of freeze at cut-over", "Minutes de gel à la bascule"),
    "table.rounds": ("Crawls, oldest first", "Parcours, du plus ancien au plus récent"),
    "empty.rounds": ("No crawl has ended.", "Aucun parcours terminé."),
    "table.rejections": ("Rejected, deleted or hidden at the source", "Rejeté, supprimé ou masqué à la source"),
    "empty.rejections": ("The source has rejected nothing.", "La source n\u2019a rien rejeté."),
    "word.round": ("Round", "Passe"),
    "word.started": ("Started", "Début"),
    "word.code": ("Code", "Code"),
    "word.title": ("Title", "Titre"),
    "word.NEW": ("New", "Nouvelles"),
    "word.GROWN": ("Grown", "Agrandies"),
    "word.SHRUNK": ("Shrunk", "Réduites"),
    "word.HEADER_CHANGED": ("Header changed", "En-tête modifié"),
    "word.PATIENT_CHANGED": ("Patient changed", "Patient modifié"),
    "word.GONE": ("Gone", "Disparues"),
    "watch.title": ("Migration {name}", "Migration {name}"),
    "watch.moved": ("Studies that have ended", "Études terminées"),
    "watch.states": ("Studies", "Études"),
    "watch.instances": ("Instances", "Instances"),
    "watch.rates": ("Rates", "Débits"),
    "watch.exceptions": ("In quarantine", "En quarantaine"),
    "watch.latest": ("Latest exceptions", "Dernières exceptions"),
    "watch.engine": ("Engine", "Moteur"),
    "watch.running": ("running", "en marche"),
    "watch.stopped": ("not running", "arrêté"),
    "watch.hours": ("Hours", "Horaires"),
    "watch.open": ("open", "ouvert"),
    "watch.closed": ("closed until {at}", "fermé jusqu\u2019à {at}"),
    "watch.disk": ("Free on the staging disk", "Libre sur le disque de transit"),
    "watch.latency": ("Latency of the source", "Latence de la source"),
    "watch.at_best": ("at its best {s} s", "au mieux {s} s"),
    "watch.retrieves": ("Retrieves allowed at once", "Récupérations simultanées permises"),
    "watch.eta": ("Done by", "Fin prévue"),
    "watch.between": ("between {low} and {high}", "entre {low} et {high}"),
    "watch.unknown": ("not known yet", "pas encore connue"),
    "watch.over": ("nothing is left to move", "il ne reste rien à migrer"),
    "watch.as_of": ("As of {at}", "Situation à {at}"),
    "watch.lost": ("No answer: this page is out of date", "Pas de réponse\u00a0: cette page n\u2019est plus à jour"),
    "watch.none": ("none", "aucune"),
}
