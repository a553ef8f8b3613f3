"""Every sentence of the reports, in English and in French. No other module holds prose.

The key says where a text is used; `{name}` is filled in. Exception classes, states, rule names,
DICOM keywords and UIDs are words of the contract and are not translated.
"""

from __future__ import annotations

from typing import Literal

from migrate.errors import UsageError

Language = Literal["en", "fr"]
LANGUAGES: tuple[Language, ...] = ("en", "fr")

TEXTS: dict[str, tuple[str, str]] = {
    # the page
    "page.title": ("Migration report: {name}", "Rapport de migration\u00a0: {name}"),
    "page.kicker": ("Migration report", "Rapport de migration"),
    "page.from_to": ("{source} to {destination}", "De {source} vers {destination}"),
    "page.generated": ("As of {at}", "Situation au {at}"),
    "page.contents": ("Contents", "Sommaire"),
    "page.skip": ("Skip to the report", "Aller au rapport"),
    "page.foot": (
        "This page is one file. It needs no network, sends nothing and holds no patient name, number or birth date.",
        "Cette page est un seul fichier. Elle n\u2019utilise aucun r\u00e9seau, n\u2019envoie rien et ne contient ni nom, ni num\u00e9ro, ni date de naissance de patient.",
    ),
    "page.redacted": ("Redacted copy.", "Copie expurg\u00e9e."),
    "page.as_table": ("Show the figures as a table", "Afficher les chiffres en tableau"),
    "grid.filter": ("Filter", "Filtrer"),
    "grid.rows": ("{shown} of {total} rows", "{shown} lignes sur {total}"),
    "grid.previous": ("Previous", "Pr\u00e9c\u00e9dent"),
    "grid.next": ("Next", "Suivant"),
    "grid.page": ("Page {page} of {pages}", "Page {page} sur {pages}"),
    "grid.paper": ("On paper: the first {shown} of {total} rows. All of them are in {file}.", "Sur papier\u00a0: les {shown} premi\u00e8res lignes sur {total}. Toutes figurent dans {file}."),
    "grid.more": ("{more} further rows are in {file}.", "{more} autres lignes figurent dans {file}."),
    # the words of the books
    "level.STUDY": ("Studies", "\u00c9tudes"),
    "level.SERIES": ("Series", "S\u00e9ries"),
    "level.IMAGE": ("Instances", "Instances"),
    "level.BYTES": ("Bytes", "Octets"),
    "book.source": ("At the source", "\u00c0 la source"),
    "book.migrated": ("Migrated", "Migr\u00e9"),
    "book.excluded": ("Excluded", "Exclu"),
    "book.failed": ("Failed", "En \u00e9chec"),
    "book.pending": ("Pending", "En attente"),
    "book.share": ("Migrated share", "Part migr\u00e9e"),
    "book.unknown": ("Unknown", "Inconnu"),
    "book.undated": ("Undated", "Sans date"),
    "book.total": ("Total", "Total"),
    "word.level": ("Level", "Niveau"),
    "word.year": ("Year", "Ann\u00e9e"),
    "word.modality": ("Modality", "Modalit\u00e9"),
    "word.facility": ("Facility", "\u00c9tablissement"),
    "word.study": ("Study", "\u00c9tude"),
    "word.class": ("Class", "Classe"),
    "word.state": ("State", "\u00c9tat"),
    "word.detail": ("Detail", "D\u00e9tail"),
    "word.age": ("Age (days)", "\u00c2ge (jours)"),
    "word.since": ("Since", "Depuis"),
    "word.accession": ("Accession number", "Num\u00e9ro d\u2019acc\u00e8s"),
    "word.study_date": ("Study date", "Date d\u2019examen"),
    "word.name": ("Name", "Nom"),
    "word.uid": ("UID", "UID"),
    "word.key": ("Setting", "R\u00e9glage"),
    "word.value": ("Value", "Valeur"),
    "word.method": ("Method", "M\u00e9thode"),
    "word.outcome": ("Outcome", "R\u00e9sultat"),
    "word.sign": ("Sign", "Signe"),
    "word.lines": ("Lines", "Lignes"),
    "word.tags": ("Attributes that differ", "Attributs diff\u00e9rents"),
    "word.disposition": ("Disposition", "D\u00e9cision"),
    "word.instance": ("Instance", "Instance"),
    "word.rule": ("Rule", "R\u00e8gle"),
    "word.pack": ("Rule pack", "Jeu de r\u00e8gles"),
    "word.version": ("Version", "Version"),
    "word.keyword": ("Attribute", "Attribut"),
    "word.identifying": ("Identifying", "Identifiant"),
    "word.yes": ("yes", "oui"),
    "word.no": ("no", "non"),
    "word.axis": ("Axis", "Axe"),
    "word.windows": ("Windows", "Fen\u00eatres"),
    "word.closed": ("Closed", "Closes"),
    "word.capped": ("Hit the result cap", "Limite de r\u00e9sultats atteinte"),
    "word.matches": ("Matches", "R\u00e9ponses"),
    "word.from": ("From", "De"),
    "word.to": ("To", "\u00c0"),
    "word.status": ("Status", "Statut"),
    "word.table": ("Table", "Table"),
    "word.files": ("Files", "Fichiers"),
    "word.rows": ("Rows", "Lignes"),
    "word.digest": ("Digest (xxh3_128)", "Empreinte (xxh3_128)"),
    "word.stage": ("Stage", "\u00c9tape"),
    "word.minutes": ("Active minutes", "Minutes actives"),
    "word.per_minute": ("Instances per active minute", "Instances par minute active"),
    "word.at": ("Time", "Heure"),
    # summary
    "summary.title": ("Summary", "Synth\u00e8se"),
    "summary.lead": (
        "Every study of the source is in exactly one of four books: migrated, excluded, failed or pending.",
        "Chaque \u00e9tude de la source figure dans un seul des quatre livres\u00a0: migr\u00e9, exclu, en \u00e9chec ou en attente.",
    ),
    "summary.no_balance": ("There are no books yet", "Il n\u2019y a pas encore de livres"),
    "summary.unbalanced": ("The books do not balance", "Les livres ne sont pas \u00e9quilibr\u00e9s"),
    "summary.open_crawl": ("Not complete: the crawl is not closed", "Incomplet\u00a0: l\u2019inventaire n\u2019est pas clos"),
    "summary.in_progress": ("In progress: the books balance", "En cours\u00a0: les livres sont \u00e9quilibr\u00e9s"),
    "summary.exceptions": ("Complete with exceptions: the books balance", "Complet avec exceptions\u00a0: les livres sont \u00e9quilibr\u00e9s"),
    "summary.complete": ("Complete: the books balance", "Complet\u00a0: les livres sont \u00e9quilibr\u00e9s"),
    "reason.no_balance": ("Run: migrate reconcile", "Ex\u00e9cutez\u00a0: migrate reconcile"),
    "reason.balanced": ("source = migrated + excluded + failed + pending, in all {lines} lines", "source = migr\u00e9 + exclu + en \u00e9chec + en attente, dans les {lines} lignes"),
    "reason.unbalanced": ("{lines} lines of the balance do not add up", "{lines} lignes du bilan ne sont pas \u00e9quilibr\u00e9es"),
    "reason.closed": ("The crawl is closed: {windows} windows accounted for", "L\u2019inventaire est clos\u00a0: {windows} fen\u00eatres justifi\u00e9es"),
    "reason.not_closed": ("{windows} windows of the crawl are not closed", "{windows} fen\u00eatres de l\u2019inventaire ne sont pas closes"),
    "reason.not_crawled": ("There is no crawl to certify", "Aucun inventaire \u00e0 certifier"),
    "reason.pending": ("{studies} studies are still to be moved", "{studies} \u00e9tudes restent \u00e0 migrer"),
    "reason.failed": ("{studies} studies failed; each has a class and a reason below", "{studies} \u00e9tudes en \u00e9chec\u00a0; chacune a une classe et un motif ci-dessous"),
    "reason.none_failed": ("No study failed", "Aucune \u00e9tude en \u00e9chec"),
    "reason.excluded": ("{studies} studies stay behind on purpose", "{studies} \u00e9tudes restent volontairement"),
    "reason.content": ("{instances} instances proven by content at the destination", "{instances} instances prouv\u00e9es par leur contenu \u00e0 destination"),
    "reason.differs": ("{instances} instances differ at the destination", "{instances} instances diff\u00e8rent \u00e0 destination"),
    "summary.studies": ("Studies at the source", "\u00c9tudes \u00e0 la source"),
    "summary.migrated": ("Studies migrated", "\u00c9tudes migr\u00e9es"),
    "summary.instances": ("Instances migrated", "Instances migr\u00e9es"),
    "summary.bytes": ("Bytes migrated", "Octets migr\u00e9s"),
    "summary.open": ("Open exceptions", "Exceptions ouvertes"),
    "summary.of": ("of {whole}", "sur {whole}"),
    "summary.share_of": ("{share} of the source", "{share} de la source"),
    "summary.bars": ("The four books, at each level", "Les quatre livres, \u00e0 chaque niveau"),
    # balance
    "balance.title": ("Balance", "Bilan"),
    "balance.lead": (
        "A study counts once, under the modality most of its instances have and the institution it names. Bytes are known once an instance has been received.",
        "Une \u00e9tude compte une fois, sous la modalit\u00e9 de la plupart de ses instances et l\u2019\u00e9tablissement qu\u2019elle nomme. Les octets sont connus apr\u00e8s r\u00e9ception.",
    ),
    "balance.totals": ("The books in total", "Les livres au total"),
    "balance.matrix": ("Migrated share of the studies, by year and modality", "Part migr\u00e9e des \u00e9tudes, par ann\u00e9e et modalit\u00e9"),
    "balance.facilities": ("Studies by facility", "\u00c9tudes par \u00e9tablissement"),
    "balance.lines": ("Every line of the balance", "Toutes les lignes du bilan"),
    "balance.empty": ("No balance yet. Run: migrate reconcile", "Pas encore de bilan. Ex\u00e9cutez\u00a0: migrate reconcile"),
    # exceptions
    "exceptions.title": ("Exceptions", "Exceptions"),
    "exceptions.lead": (
        "Every study that is not simply migrated, with the reason. A waiver never removes a line.",
        "Chaque \u00e9tude qui n\u2019est pas simplement migr\u00e9e, avec son motif. Une d\u00e9rogation ne retire jamais une ligne.",
    ),
    "exceptions.classes": ("Studies by exception class", "\u00c9tudes par classe d\u2019exception"),
    "exceptions.register": ("Register", "Registre"),
    "exceptions.empty": ("No exceptions.", "Aucune exception."),
    # inventory
    "inventory.title": ("Inventory", "Inventaire"),
    "inventory.lead": ("What the source holds, as the crawl and the received instances show it.", "Ce que contient la source, d\u2019apr\u00e8s l\u2019inventaire et les instances re\u00e7ues."),
    "inventory.by_year": ("Studies by year and modality", "\u00c9tudes par ann\u00e9e et modalit\u00e9"),
    "inventory.by_modality": ("Holdings by modality (of the series)", "Fonds par modalit\u00e9 (des s\u00e9ries)"),
    "inventory.syntaxes": ("Transfer syntaxes received", "Syntaxes de transfert re\u00e7ues"),
    "inventory.sop_classes": ("SOP classes", "Classes SOP"),
    "inventory.empty": ("Nothing has been found yet.", "Rien n\u2019a encore \u00e9t\u00e9 trouv\u00e9."),
    "inventory.others": ("Others", "Autres"),
    "inventory.instances": ("Instances listed", "Instances r\u00e9pertori\u00e9es"),
    "inventory.series": ("Series listed", "S\u00e9ries r\u00e9pertori\u00e9es"),
    # crawl
    "crawl.title": ("Crawl certificate", "Certificat d\u2019inventaire"),
    "crawl.lead": (
        "A window is closed when its count is below the result cap or the counts of its parts add up. The crawl is closed when every window is.",
        "Une fen\u00eatre est close quand son compte est sous la limite de r\u00e9sultats ou quand ses parties s\u2019additionnent. L\u2019inventaire est clos quand toutes le sont.",
    ),
    "crawl.closed": ("Crawl closed", "Inventaire clos"),
    "crawl.undated": ("Undated studies", "\u00c9tudes sans date"),
    "crawl.estimate": ("Studies still undiscovered", "\u00c9tudes non d\u00e9couvertes"),
    "crawl.interval": ("estimate; between {low} and {high}", "estimation\u00a0; entre {low} et {high}"),
    "crawl.no_estimate": ("no second axis to estimate from", "pas de second axe pour estimer"),
    "crawl.axes": ("Windows by axis", "Fen\u00eatres par axe"),
    "crawl.open": ("Windows that are not closed", "Fen\u00eatres non closes"),
    "crawl.none_open": ("Every window is closed.", "Toutes les fen\u00eatres sont closes."),
    # flow
    "flow.title": ("Progress", "Avancement"),
    "flow.lead": ("Where lines run apart, the stage between them is the slow one.", "L\u00e0 o\u00f9 les courbes s\u2019\u00e9cartent, l\u2019\u00e9tape entre elles est la plus lente."),
    "flow.chart": ("Instances received, sent and verified, cumulative", "Instances re\u00e7ues, envoy\u00e9es et v\u00e9rifi\u00e9es, cumul"),
    "flow.received": ("Received", "Re\u00e7ues"),
    "flow.uploaded": ("Sent", "Envoy\u00e9es"),
    "flow.verified": ("Verified", "V\u00e9rifi\u00e9es"),
    "flow.rates": ("Rates while working", "D\u00e9bits en activit\u00e9"),
    "flow.states": ("Studies by state", "\u00c9tudes par \u00e9tat"),
    "flow.empty": ("Nothing has been moved yet.", "Rien n\u2019a encore \u00e9t\u00e9 migr\u00e9."),
    # fidelity
    "fidelity.title": ("Fidelity", "Fid\u00e9lit\u00e9"),
    "fidelity.lead": (
        "Proven by content: the instance was read back from the destination and equals what the source gave, but for the declared changes.",
        "Preuve par le contenu\u00a0: l\u2019instance relue \u00e0 destination est \u00e9gale \u00e0 celle de la source, hormis les modifications d\u00e9clar\u00e9es.",
    ),
    "fidelity.content": ("Proven by content", "Prouv\u00e9es par le contenu"),
    "fidelity.differs": ("Differ", "Diff\u00e8rent"),
    "fidelity.unverifiable": ("Could not be checked", "Non v\u00e9rifiables"),
    "fidelity.proofs": ("Last check of each instance", "Derni\u00e8re v\u00e9rification de chaque instance"),
    "fidelity.differing": ("Instances that are not what they should be", "Instances non conformes"),
    "fidelity.none_differing": ("No instance differs.", "Aucune instance ne diff\u00e8re."),
    "fidelity.empty": ("Nothing has been verified yet.", "Rien n\u2019a encore \u00e9t\u00e9 v\u00e9rifi\u00e9."),
    "fidelity.digest": (
        "Digests are xxh3_128. They detect accidents; they are not a seal against a forger.",
        "Les empreintes sont en xxh3_128. Elles d\u00e9tectent les accidents\u00a0; elles ne prot\u00e8gent pas contre un faussaire.",
    ),
    # changes
    "changes.title": ("Declared changes", "Modifications d\u00e9clar\u00e9es"),
    "changes.lead": ("Everything that was changed on the way, by the rule that changed it. Nothing else changed.", "Tout ce qui a \u00e9t\u00e9 modifi\u00e9 en chemin, par r\u00e8gle. Rien d\u2019autre n\u2019a chang\u00e9."),
    "changes.table": ("Change ledger", "Registre des modifications"),
    "changes.empty": ("No rule changed anything.", "Aucune r\u00e8gle n\u2019a modifi\u00e9 quoi que ce soit."),
    # differences
    "differences.title": ("Reconciliation", "Rapprochement"),
    "differences.lead": ("Both sides walked once, in order: = the same, + only at the source, - only at the destination, * different, ! could not be compared.", "Les deux c\u00f4t\u00e9s parcourus une fois, dans l\u2019ordre\u00a0: = identique, + \u00e0 la source seule, - \u00e0 destination seule, * diff\u00e9rent, ! non comparable."),
    "differences.counts": ("Findings", "Constats"),
    "differences.lines": ("Each difference", "Chaque diff\u00e9rence"),
    "differences.empty": ("The two sides do not differ.", "Les deux c\u00f4t\u00e9s ne diff\u00e8rent pas."),
    # facts
    "facts.title": ("Facts of the run", "Donn\u00e9es de l\u2019ex\u00e9cution"),
    "facts.lead": ("What anybody needs to repeat or to audit the run. Secrets never stand in the configuration.", "Ce qu\u2019il faut pour r\u00e9p\u00e9ter ou auditer l\u2019ex\u00e9cution. La configuration ne contient aucun secret."),
    "facts.config": ("Configuration", "Configuration"),
    "facts.versions": ("Versions", "Versions"),
    "facts.digests": ("Manifests", "Manifestes"),
    "facts.started": ("First event", "Premier \u00e9v\u00e9nement"),
    "facts.ended": ("Last event", "Dernier \u00e9v\u00e9nement"),
    # certificate
    "certificate.title": ("Acceptance certificate", "Certificat de r\u00e9ception"),
    "certificate.lead": ("{name}: studies of {source}, moved to {destination}. As of {at}.", "{name}\u00a0: \u00e9tudes de {source}, migr\u00e9es vers {destination}. Situation au {at}."),
    "certificate.accepted": ("Accepted exceptions, by class", "Exceptions accept\u00e9es, par classe"),
    "certificate.scope": ("Scope and balance", "P\u00e9rim\u00e8tre et bilan"),
    "certificate.digests": ("Manifests this certificate rests on", "Manifestes sur lesquels repose ce certificat"),
    "certificate.declaration": (
        "The undersigned have compared this certificate with the manifests named above and accept the balance and the listed exceptions.",
        "Les soussign\u00e9s ont compar\u00e9 ce certificat aux manifestes nomm\u00e9s ci-dessus et acceptent le bilan et les exceptions \u00e9num\u00e9r\u00e9es.",
    ),
    "certificate.draft": ("Draft: this certificate cannot be signed while the verdict above is not \u201ccomplete\u201d.", "\u00c9bauche\u00a0: ce certificat ne peut \u00eatre sign\u00e9 tant que le verdict n\u2019est pas \u00ab\u00a0complet\u00a0\u00bb."),
    "sign.migration": ("Migration lead", "Responsable de la migration"),
    "sign.imaging": ("Medical imaging", "Imagerie m\u00e9dicale"),
    "sign.repository": ("Repository operator", "Exploitant du d\u00e9p\u00f4t"),
    "sign.name": ("Name", "Nom"),
    "sign.signature": ("Signature", "Signature"),
    "sign.date": ("Date", "Date"),
}


class Words:
    """The catalogue in one language: `words("key", name=value)`."""

    def __init__(self, language: Language) -> None:
        """Raises UsageError for a language that the catalogue does not have."""
        if language not in LANGUAGES:
            raise UsageError("there are no texts in this language", f"one of: {', '.join(LANGUAGES)}", language=language)
        self.language = language

    def __call__(self, key: str, **values: object) -> str:
        """The text of `key` with its values filled in."""
        return TEXTS[key][LANGUAGES.index(self.language)].format(**values)
