"""Every sentence of the reports, in English and in French. Only `phrases` holds more of it.

The key says where a text is used; `{name}` is filled in. Exception classes, states, rule names,
DICOM keywords and UIDs are words of the contract and are not translated.
"""

from __future__ import annotations

from typing import Literal

from migrate.errors import UsageError
from migrate.report.phrases import PHRASES

Language = Literal["en", "fr"]
LANGUAGES: tuple[Language, ...] = ("en", "fr")

TEXTS: dict[str, tuple[str, str]] = {
    "page.title": ("Migration report: {name}", "Rapport de migration\u00a0: {name}"),
    "page.kicker": ("Migration report", "Rapport de migration"),
    "page.from_to": ("{source} to {destination}", "De {source} vers {destination}"),
    "page.generated": ("As of {at}", "Situation au {at}"),
    "page.contents": ("Contents", "Sommaire"),
    "page.skip": ("Skip to the report", "Aller au rapport"),
    "page.foot": (
        ("This page is one file. It needs no network, sends nothing and holds no patient name, number or birth date."),
        (
            "Cette page est un seul fichier. Elle n\u2019utilise aucun réseau, n\u2019envoie rien et ne "
            "contient ni nom, ni numéro, ni date de naissance de patient."
        ),
    ),
    "page.redacted": ("Redacted copy.", "Copie expurgée."),
    "page.as_table": ("Show the figures as a table", "Afficher les chiffres en tableau"),
    "grid.filter": ("Filter", "Filtrer"),
    "grid.rows": ("{shown} of {total} rows", "{shown} lignes sur {total}"),
    "grid.previous": ("Previous", "Précédent"),
    "grid.next": ("Next", "Suivant"),
    "grid.page": ("Page {page} of {pages}", "Page {page} sur {pages}"),
    "grid.paper": (
        "On paper: the first {shown} of {total} rows. All of them are in {file}.",
        "Sur papier\u00a0: les {shown} premières lignes sur {total}. Toutes figurent dans {file}.",
    ),
    "grid.more": ("{more} further rows are in {file}.", "{more} autres lignes figurent dans {file}."),
    "grid.left": (
        "{more} further rows are in the run folder's Parquet tables only.",
        "{more} autres lignes figurent uniquement dans les tables Parquet du dossier.",
    ),
    "level.STUDY": ("Studies", "Études"),
    "level.SERIES": ("Series", "Séries"),
    "level.IMAGE": ("Instances", "Instances"),
    "level.BYTES": ("Bytes", "Octets"),
    "book.source": ("At the source", "À la source"),
    "book.migrated": ("Migrated", "Migré"),
    "book.excluded": ("Excluded", "Exclu"),
    "book.failed": ("Failed", "En échec"),
    "book.pending": ("Pending", "En attente"),
    "book.share": ("Migrated share", "Part migrée"),
    "book.unknown": ("Unknown", "Inconnu"),
    "book.undated": ("Undated", "Sans date"),
    "book.total": ("Total", "Total"),
    "word.level": ("Level", "Niveau"),
    "word.year": ("Year", "Année"),
    "word.modality": ("Modality", "Modalité"),
    "word.facility": ("Facility", "Établissement"),
    "word.study": ("Study", "Étude"),
    "word.class": ("Class", "Classe"),
    "word.state": ("State", "État"),
    "word.detail": ("Detail", "Détail"),
    "word.age": ("Age (days)", "Âge (jours)"),
    "word.since": ("Since", "Depuis"),
    "word.name": ("Name", "Nom"),
    "word.uid": ("UID", "UID"),
    "word.key": ("Setting", "Réglage"),
    "word.value": ("Value", "Valeur"),
    "word.method": ("Method", "Méthode"),
    "word.outcome": ("Outcome", "Résultat"),
    "word.lines": ("Lines", "Lignes"),
    "word.tags": ("Attributes that differ", "Attributs différents"),
    "word.disposition": ("Disposition", "Décision"),
    "word.instance": ("Instance", "Instance"),
    "word.rule": ("Rule", "Règle"),
    "word.pack": ("Rule pack", "Jeu de règles"),
    "word.version": ("Version", "Version"),
    "word.keyword": ("Attribute", "Attribut"),
    "word.identifying": ("Identifying", "Identifiant"),
    "word.yes": ("yes", "oui"),
    "word.no": ("no", "non"),
    "word.axis": ("Axis", "Axe"),
    "word.windows": ("Windows", "Fenêtres"),
    "word.closed": ("Closed", "Closes"),
    "word.capped": ("Hit the result cap", "Limite de résultats atteinte"),
    "word.matches": ("Matches", "Réponses"),
    "word.from": ("From", "De"),
    "word.to": ("To", "À"),
    "word.table": ("Table", "Table"),
    "word.files": ("Files", "Fichiers"),
    "word.rows": ("Rows", "Lignes"),
    "word.digest": ("Digest (xxh3_128)", "Empreinte (xxh3_128)"),
    "word.stage": ("Stage", "Étape"),
    "word.minutes": ("Active minutes", "Minutes actives"),
    "word.per_minute": ("Instances per active minute", "Instances par minute active"),
    "word.at": ("Time", "Heure"),
    "word.why": ("Why", "Motif"),
    "word.studies": ("Studies", "Études"),
    "word.series": ("Series", "Séries"),
    "word.instances": ("Instances", "Instances"),
    "word.bytes": ("Bytes", "Octets"),
    "summary.title": ("Summary", "Synthèse"),
    "summary.lead": (
        "Every study of the source is in exactly one of four books: migrated, excluded, failed or pending.",
        (
            "Chaque étude de la source figure dans un seul des quatre livres\u00a0: migré, exclu, en "
            "échec ou en attente."
        ),
    ),
    "summary.no_balance": ("There are no books yet", "Il n\u2019y a pas encore de livres"),
    "summary.unbalanced": ("The books do not balance", "Les livres ne sont pas équilibrés"),
    "summary.stale": ("The books are out of date", "Les livres ne sont pas \u00e0 jour"),
    "summary.open_crawl": (
        "Not complete: the crawl is not closed",
        "Incomplet\u00a0: l\u2019inventaire n\u2019est pas clos",
    ),
    "summary.in_progress": ("In progress: the books balance", "En cours\u00a0: les livres sont équilibrés"),
    "summary.exceptions": (
        "Complete with exceptions: the books balance",
        "Complet avec exceptions\u00a0: les livres sont équilibrés",
    ),
    "summary.complete": ("Complete: the books balance", "Complet\u00a0: les livres sont équilibrés"),
    "summary.of": ("of {whole}", "sur {whole}"),
    "summary.bars": ("The four books, at each level", "Les quatre livres, à chaque niveau"),
    "reason.no_balance": ("Run: migrate reconcile", "Exécutez\u00a0: migrate reconcile"),
    "reason.balanced": (
        "source = migrated + excluded + failed + pending, in every line of {lines}",
        "source = migré + exclu + en échec + en attente, dans chacune des {lines} lignes",
    ),
    "reason.unbalanced": (
        "Lines of the balance that do not add up: {lines}",
        "Lignes du bilan non équilibrées\u00a0: {lines}",
    ),
    "reason.stale": (
        "The run went on after the books were made. Run: migrate reconcile",
        "L\u2019ex\u00e9cution a continu\u00e9 apr\u00e8s l\u2019\u00e9tablissement des livres. Ex\u00e9cutez\u00a0: migrate reconcile",
    ),
    "reason.closed": (
        "The crawl is closed; windows accounted for: {windows}",
        "L\u2019inventaire est clos\u00a0; fenêtres justifiées\u00a0: {windows}",
    ),
    "reason.not_closed": (
        "Windows of the crawl that are not closed: {windows}",
        "Fenêtres d\u2019inventaire non closes\u00a0: {windows}",
    ),
    "reason.not_crawled": ("There is no crawl to certify", "Aucun inventaire à certifier"),
    "reason.pending": (
        "Studies still to be moved: {studies}",
        "Études restant à migrer\u00a0: {studies}",
    ),
    "reason.failed": (
        "Studies that failed: {studies}; each has a class and a reason below",
        "Études en échec\u00a0: {studies}\u00a0; chacune a une classe et un motif ci-dessous",
    ),
    "reason.none_failed": ("No study failed", "Aucune étude en échec"),
    "reason.excluded": (
        "Studies that stay behind on purpose: {studies}",
        "Études qui restent volontairement\u00a0: {studies}",
    ),
    "reason.content": (
        "Instances proven by content at the destination: {instances}",
        "Instances prouvées par leur contenu à destination\u00a0: {instances}",
    ),
    "reason.differs": (
        "Instances that differ at the destination: {instances}",
        "Instances qui diffèrent à destination\u00a0: {instances}",
    ),
    "figure.STUDY.source": ("Studies at the source", "Études à la source"),
    "figure.STUDY.migrated": ("Studies migrated", "Études migrées"),
    "figure.IMAGE.migrated": ("Instances migrated", "Instances migrées"),
    "figure.BYTES.migrated": ("Bytes migrated", "Octets migrés"),
    "figure.exceptions.open": ("Studies with open exceptions", "Examens avec exceptions ouvertes"),
    "figure.crawl.instances": ("Instances listed", "Instances répertoriées"),
    "figure.crawl.series": ("Series listed", "Séries répertoriées"),
    "figure.crawl.closed": ("Crawl closed", "Inventaire clos"),
    "figure.crawl.undated": ("Undated studies", "Études sans date"),
    "figure.crawl.undiscovered": ("Studies still undiscovered", "Études non découvertes"),
    "figure.fidelity.content": ("Proven by content", "Prouvées par le contenu"),
    "figure.fidelity.differs": ("Differ", "Diffèrent"),
    "figure.fidelity.unverifiable": ("Could not be checked", "Non vérifiables"),
    "figure.crawl.studies": ("Studies found", "Études trouvées"),
    "figure.crawl.capped": ("Hit the result cap", "Limite de résultats atteinte"),
    "figure.crawl.windows": ("Windows", "Fenêtres"),
    "balance.title": ("Balance", "Bilan"),
    "balance.lead": (
        (
            "A study counts once, under the modality most of its instances have and the institution it "
            "names. Bytes are known once an instance has been received."
        ),
        (
            "Une étude compte une fois, sous la modalité de la plupart de ses instances et "
            "l\u2019établissement qu\u2019elle nomme. Les octets sont connus après réception."
        ),
    ),
    "balance.matrix": (
        "Migrated share of the studies, by year and modality",
        "Part migrée des études, par année et modalité",
    ),
    "table.totals": ("The books in total", "Les livres au total"),
    "table.facilities": ("Studies by facility", "Études par établissement"),
    "table.balance": ("Every line of the balance", "Toutes les lignes du bilan"),
    "table.exceptions": ("Register", "Registre"),
    "table.held": ("Holdings by modality (of the series)", "Fonds par modalité (des séries)"),
    "table.syntaxes": ("Transfer syntaxes received", "Syntaxes de transfert reçues"),
    "table.sop_classes": ("SOP classes", "Classes SOP"),
    "table.axes": ("Windows by axis", "Fenêtres par axe"),
    "table.open_windows": ("Windows that are not closed", "Fenêtres non closes"),
    "table.rates": ("Rates while working", "Débits en activité"),
    "table.states": ("Studies by state", "Études par état"),
    "table.proofs": ("Last check of each instance", "Dernière vérification de chaque instance"),
    "table.differing": ("Instances that are not what they should be", "Instances non conformes"),
    "table.changes": ("Change ledger", "Registre des modifications"),
    "table.finding_counts": ("Findings", "Constats"),
    "table.findings": ("Each difference", "Chaque différence"),
    "table.config": ("Configuration", "Configuration"),
    "table.versions": ("Versions", "Versions"),
    "table.digests": ("Manifests", "Manifestes"),
    "table.accepted": ("Exceptions, by class and decision", "Exceptions, par classe et décision"),
    "table.certificate_totals": ("Scope and balance", "Périmètre et bilan"),
    "table.certificate_digests": (
        "Manifests this certificate rests on",
        "Manifestes sur lesquels repose ce certificat",
    ),
    "empty.balance": (
        "No balance yet. Run: migrate reconcile",
        "Pas encore de bilan. Exécutez\u00a0: migrate reconcile",
    ),
    "empty.exceptions": ("No exceptions.", "Aucune exception."),
    "empty.held": ("Nothing has been found yet.", "Rien n\u2019a encore été trouvé."),
    "empty.open_windows": ("Every window is closed.", "Toutes les fenêtres sont closes."),
    "empty.rates": ("Nothing has been moved yet.", "Rien n\u2019a encore été migré."),
    "empty.differing": ("No instance differs.", "Aucune instance ne diffère."),
    "empty.proofs": ("Nothing has been verified yet.", "Rien n\u2019a encore été vérifié."),
    "empty.changes": ("No rule changed anything.", "Aucune règle n\u2019a modifié quoi que ce soit."),
    "empty.findings": ("The two sides do not differ.", "Les deux côtés ne diffèrent pas."),
    "empty.facilities": (
        "No balance yet. Run: migrate reconcile",
        "Pas encore de bilan. Exécutez\u00a0: migrate reconcile",
    ),
    "empty.accepted": ("No exceptions.", "Aucune exception."),
    "empty.syntaxes": ("Nothing has been found yet.", "Rien n\u2019a encore été trouvé."),
    "empty.sop_classes": ("Nothing has been found yet.", "Rien n\u2019a encore été trouvé."),
    "empty.states": ("Nothing has been moved yet.", "Rien n\u2019a encore été migré."),
    "empty.finding_counts": ("The two sides do not differ.", "Les deux côtés ne diffèrent pas."),
    "empty.axes": ("There is no crawl to certify", "Aucun inventaire à certifier"),
    "exceptions.title": ("Exceptions", "Exceptions"),
    "exceptions.lead": (
        "Every study that is not simply migrated, with the reason. A waiver never removes a line.",
        (
            "Chaque étude qui n\u2019est pas simplement migrée, avec son motif. Une dérogation ne retire "
            "jamais une ligne."
        ),
    ),
    "exceptions.classes": ("Studies by exception class", "Études par classe d\u2019exception"),
    "inventory.title": ("Inventory", "Inventaire"),
    "inventory.lead": (
        "What the source holds, as the crawl and the received instances show it.",
        "Ce que contient la source, d\u2019après l\u2019inventaire et les instances reçues.",
    ),
    "inventory.by_year": ("Studies by year and modality", "Études par année et modalité"),
    "inventory.others": ("Others", "Autres"),
    "crawl.title": ("Crawl certificate", "Certificat d\u2019inventaire"),
    "crawl.lead": (
        "A window is closed when nothing in it can have been missed. The crawl is closed when one question was answered whole, or the date axis and a second axis are closed. What no question can reveal, because every axis hides it, is not covered: only a list from another system, such as the RIS, can name it (crawl --against).",
        "Une fenêtre est close quand rien n\u2019a pu y être omis. L\u2019inventaire est clos quand une question a reçu une réponse entière, ou quand l\u2019axe des dates et un second axe sont clos. Ce qu\u2019aucune question ne peut révéler, parce que chaque axe le cache, n\u2019est pas couvert\u00a0: seule une liste d\u2019un autre système, comme le SIR, peut le nommer (crawl --against).",
    ),
    "crawl.interval": ("estimate; between {low} and {high}", "estimation\u00a0; entre {low} et {high}"),
    "crawl.no_estimate": ("no second axis to estimate from", "pas de second axe pour estimer"),
    "flow.title": ("Progress", "Avancement"),
    "flow.lead": (
        "Where lines run apart, the stage between them is the slow one.",
        "Là où les courbes s\u2019écartent, l\u2019étape entre elles est la plus lente.",
    ),
    "flow.chart": (
        "Instances found, received, sent and verified, cumulative",
        "Instances trouvées, reçues, envoyées et vérifiées, cumul",
    ),
    "flow.received": ("Received", "Reçues"),
    "flow.uploaded": ("Sent", "Envoyées"),
    "flow.verified": ("Verified", "Vérifiées"),
    "fidelity.title": ("Fidelity", "Fidélité"),
    "fidelity.lead": (
        (
            "Proven by content: the instance was read back from the destination and equals what the "
            "source gave, but for the declared changes."
        ),
        (
            "Preuve par le contenu\u00a0: l\u2019instance relue à destination est égale à celle de la "
            "source, hormis les modifications déclarées."
        ),
    ),
    "fidelity.bound": (
        "Compared by content: {compared} of {studies} studies; {defective} differ. With {confidence} confidence at most {bound} of all studies differ (exact binomial).",
        "Comparées par le contenu\u00a0: {compared} études sur {studies}\u00a0; {defective} diffèrent. Avec une confiance de {confidence}, au plus {bound} de toutes les études diffèrent (binomiale exacte).",
    ),
    "fidelity.all_compared": (
        "Compared by content: all {studies} studies; {defective} differ.",
        "Comparées par le contenu\u00a0: les {studies} études, toutes\u00a0; {defective} diffèrent.",
    ),
    "table.census": ("What is missed first when it is gone", "Ce qui manque en premier"),
    "empty.census": ("None of it was in what was received.", "Rien de tel dans ce qui a été reçu."),
    "fidelity.outside": (
        "{product} is known to keep marks outside DICOM objects: not counted, not moved. Ask for an export of them.",
        "{product} garde des annotations hors des objets DICOM\u00a0: ni comptées, ni migrées. Demandez leur exportation.",
    ),
    "table.lookalikes": ("Objects that share a UID or their pixels", "Objets au même UID ou aux mêmes pixels"),
    "empty.lookalikes": ("None, or reconcile has not run.", "Aucun, ou la réconciliation n\u2019a pas eu lieu."),
    "word.kind": ("Kind", "Genre"),
    "word.policy": ("What is done", "Ce qui est fait"),
    "word.pairs": ("Pairs", "Paires"),
    "word.at_source": ("Instances as received", "Instances reçues"),
    "word.at_destination": ("Instances as given back", "Instances relues"),
    "word.taken_away": ("Fewer", "En moins"),
    "fidelity.digest": (
        "Digests are xxh3_128. They detect accidents; they are not a seal against a forger.",
        (
            "Les empreintes sont en xxh3_128. Elles détectent les accidents\u00a0; elles ne protègent "
            "pas contre un faussaire."
        ),
    ),
    "changes.title": ("Declared changes", "Modifications déclarées"),
    "changes.lead": (
        "Everything that was changed on the way, by the rule that changed it. Nothing else changed.",
        "Tout ce qui a été modifié en chemin, par règle. Rien d\u2019autre n\u2019a changé.",
    ),
    "differences.title": ("Reconciliation", "Rapprochement"),
    "differences.lead": (
        (
            "Both sides walked once, in order. match: the same; missing: only at the source; extra: only at "
            "the destination; differs: not the same; unverifiable: could not be compared."
        ),
        (
            "Les deux côtés parcourus une fois, dans l\u2019ordre. match\u00a0: identique\u00a0; missing\u00a0: à la source seule\u00a0; "
            "extra\u00a0: à destination seule\u00a0; differs\u00a0: différent\u00a0; unverifiable\u00a0: non comparable."
        ),
    ),
    "facts.title": ("Facts of the run", "Données de l\u2019exécution"),
    "facts.lead": (
        "What anybody needs to repeat or to audit the run. Secrets never stand in the configuration.",
        ("Ce qu\u2019il faut pour répéter ou auditer l\u2019exécution. La configuration ne contient aucun secret."),
    ),
    "facts.started": ("First event", "Premier événement"),
    "facts.ended": ("Last event", "Dernier événement"),
    "certificate.title": ("Acceptance certificate", "Certificat de réception"),
    "certificate.scope": (
        "{name}: studies of {source}, moved to {destination}.",
        "{name}\u00a0: études de {source}, migrées vers {destination}.",
    ),
    "certificate.declaration": (
        (
            "The undersigned have compared this certificate with the manifests named above and accept "
            "the balance and the listed exceptions."
        ),
        (
            "Les soussignés ont comparé ce certificat aux manifestes nommés ci-dessus et acceptent le "
            "bilan et les exceptions énumérées."
        ),
    ),
    "certificate.draft": (
        "Draft: this certificate cannot be signed while the verdict above is not \u201ccomplete\u201d.",
        ("Ébauche\u00a0: ce certificat ne peut être signé tant que le verdict n\u2019est pas «\u00a0complet\u00a0»."),
    ),
    "certificate.lead": ("", ""),
    "sign.migration": ("Migration lead", "Responsable de la migration"),
    "sign.imaging": ("Medical imaging", "Imagerie médicale"),
    "sign.repository": ("Repository operator", "Exploitant du dépôt"),
    "sign.name": ("Name", "Nom"),
    "sign.signature": ("Signature", "Signature"),
    "sign.date": ("Date", "Date"),
    **PHRASES,
}


class Words:
    """The catalogue in one language: `words("key", name=value)`."""

    def __init__(self, language: Language) -> None:
        """Raises UsageError for a language that the catalogue does not have."""
        if language not in LANGUAGES:
            raise UsageError(
                "there are no texts in this language", f"one of: {', '.join(LANGUAGES)}", language=language
            )
        self.language = language

    def __call__(self, key: str, **values: object) -> str:
        """The text of `key` with its values filled in."""
        return TEXTS[key][LANGUAGES.index(self.language)].format(**values)

    def optional(self, key: str) -> str:
        """The text of `key`, or nothing where the catalogue has none."""
        return self(key) if key in TEXTS else ""
