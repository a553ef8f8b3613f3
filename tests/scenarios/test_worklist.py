"""Booked patients first, from real worklists: asked by `plan --worklist`, kept, and planned from."""

from __future__ import annotations

import base64
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import trustme

from migrate.audit.check import check
from migrate.audit.trail import FOLDER, files, lines
from migrate.dicom.uid import MODALITY_WORKLIST_FIND
from migrate.engine.planning import register_found
from migrate.errors import PeerRefused, PeerUnavailable
from migrate.journal.states import State
from migrate.journal.store import Journal
from migrate.manifest.place import Manifests
from migrate.manifest.write import replace_table
from migrate.wire.dimse.endpoint import Endpoint
from migrate.wire.worklist import booked_patients
from tests.audit.schema import violations
from tests.cli.inline import say
from tests.peers.dcmtk import Dcmqrscp
from tests.peers.ports import free_port
from tests.peers.worklists import Booking, WorklistPeer, orthanc_worklist_running, wlmscpfs_running

Running = Callable[[Sequence[Booking], Path], AbstractContextManager[WorklistPeer]]
PEERS = [
    pytest.param(wlmscpfs_running, marks=pytest.mark.dcmtk),
    pytest.param(orthanc_worklist_running, marks=pytest.mark.orthanc),
]
TODAY = datetime.now(UTC).date()
BOOKINGS = (
    Booking(patient_id="SECRET-2", day=TODAY),
    Booking(patient_id="SECRET-2", day=TODAY + timedelta(days=3), modality="MR"),
    Booking(patient_id="SECRET-3", day=TODAY + timedelta(days=2), issuer="HOSPITAL"),
    Booking(patient_id="SECRET-4", day=TODAY + timedelta(days=2), issuer="HOSPITAL"),
    Booking(patient_id="SECRET-5", day=TODAY + timedelta(days=1)),
    Booking(patient_id="SECRET-1", day=TODAY + timedelta(days=40)),
    Booking(patient_id="SECRET-1", day=TODAY - timedelta(days=40)),
)
STUDIES = (
    # uid, patient key, patient id, issuer, date
    ("1.2.3.1", "k1", "SECRET-1", None, "20240101"),
    ("1.2.3.2", "k2", "SECRET-2", "HOSPITAL", "20200101"),
    ("1.2.3.3", "k3", "SECRET-3", None, "20190101"),
    ("1.2.3.4", "k4", "SECRET-4", "ANOTHER", "20180101"),
    ("1.2.3.5", "k2", "SECRET-2", "HOSPITAL", "19990101"),
)


@pytest.fixture(scope="module", params=PEERS, ids=["wlmscpfs", "orthanc"])
def ris(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorklistPeer]:
    running: Running = request.param
    with running(BOOKINGS, tmp_path_factory.mktemp("ris")) as peer:
        yield peer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    manifests = Manifests(tmp_path, "TEST")
    uids, keys, patients, issuers, dates = (list(column) for column in zip(*STUDIES, strict=True))
    replace_table(manifests, "studies", [{"study_instance_uid": uids, "patient_key": keys, "study_date": dates}])
    people = {"study_instance_uid": uids, "patient_key": keys, "patient_id": patients}
    replace_table(manifests, "identities", [{**people, "issuer_of_patient_id": issuers}])
    configure(tmp_path, WorklistPeer("RIS", free_port()))
    with Journal(tmp_path) as journal:
        register_found(journal, tmp_path)
    return tmp_path


def configure(folder: Path, ris: WorklistPeer, waves: str = '["booked"]') -> None:
    """The time zone is that of the bookings, so that the day does not turn between."""
    (folder / "migration.toml").write_text(
        f'[run]\nname = "t"\nsource = "TEST"\ntimezone = "UTC"\n[plan]\nwaves = {waves}\n'
        f'[plan.worklist]\nae_title = "{ris.ae_title}"\nport = {ris.port}\ndays = 7\n',
        encoding="utf-8",
    )


def order_of(folder: Path) -> list[str]:
    with Journal(folder) as journal:
        return [study.study_instance_uid for study in journal.ready(State.PLANNED, 9e9, 10)]


def endpoint(ris: WorklistPeer) -> Endpoint:
    return Endpoint(ae_title=ris.ae_title, host="127.0.0.1", port=ris.port, calling_ae_title="MIGRATE")


def test_a_day_has_the_patients_that_are_booked_on_it(ris: WorklistPeer) -> None:
    for shift in range(8):
        day = TODAY + timedelta(days=shift)
        expected = sorted((one.patient_id, one.issuer) for one in BOOKINGS if one.day == day)
        assert sorted(booked_patients(endpoint(ris), [day])) == expected


def test_every_study_of_a_booked_patient_moves_first_and_nothing_says_who(folder: Path, ris: WorklistPeer) -> None:
    configure(folder, ris)
    said = say(folder, "--json", "plan", "--worklist")
    assert said.code == 0, said.stderr
    worklist, booked = said.json["worklist"], said.json["booked"]
    assert (worklist["steps"], worklist["patients"], worklist["nameless"]) == (5, 4, 0)
    # SECRET-4 has another issuer here, SECRET-5 no study at all.
    assert (booked["scheduled"], booked["strangers"]) == (4, 2)
    assert order_of(folder) == ["1.2.3.2", "1.2.3.3", "1.2.3.5", "1.2.3.1", "1.2.3.4"]
    again = say(folder, "plan", "--worklist")
    assert f"worklist: 5 scheduled steps from {TODAY} to {TODAY + timedelta(days=7)}, 4 patients" in again.stdout
    assert "patients on the worklist: 4, of whom 2 have nothing here" in again.stdout
    explained = say(folder, "plan", "--explain", "1.2.3.5")
    assert "wave       1 of 2: booked" in explained.stdout
    assert "SECRET" not in said.stdout + said.stderr + again.stdout + explained.stdout


def test_the_answer_is_kept_for_its_owner_and_plans_are_made_from_it_when_the_worklist_is_away(
    folder: Path, ris: WorklistPeer
) -> None:
    configure(folder, ris)
    assert say(folder, "plan", "--worklist").code == 0
    kept = folder / "worklist.csv"
    before = kept.read_bytes()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    configure(folder, WorklistPeer("RIS", free_port()))
    said = say(folder, "plan", "--worklist")
    assert said.code == PeerUnavailable.exit_code
    assert kept.read_bytes() == before
    assert say(folder, "plan").code == 0
    assert order_of(folder)[0] == "1.2.3.2"


def test_every_question_stands_in_the_audit_trail_with_its_day_and_nobody_in_it(
    folder: Path, ris: WorklistPeer
) -> None:
    configure(folder, ris)
    assert say(folder, "plan", "--worklist").code == 0
    told = [entry["message"] for path in files(folder / FOLDER) for _, entry in lines(path) if entry]
    assert [violation for message in told for violation in violations(message)] == []
    queries = [
        base64.b64decode(query.text or "")
        for message in told
        for query in ET.fromstring(message).iter("ParticipantObjectQuery")
    ]
    days = [f"{TODAY + timedelta(days=shift):%Y%m%d}".encode() for shift in range(8)]
    assert len(queries) == len(days)
    assert all(day in query for day, query in zip(days, queries, strict=True))
    asked = [message for message in told if "110112" in message]
    assert all('UserID="RIS"' in message and MODALITY_WORKLIST_FIND in message for message in asked)
    assert "SECRET" not in "".join(told)
    assert check(folder).whole


def test_a_question_that_nobody_answered_stands_in_the_audit_trail(folder: Path) -> None:
    said = say(folder, "plan", "--worklist")
    assert said.code == PeerUnavailable.exit_code
    told = [entry["message"] for path in files(folder / FOLDER) for _, entry in lines(path) if entry]
    assert any("110121" in message and 'EventOutcomeIndicator="8"' in message for message in told)


@pytest.mark.orthanc
@pytest.mark.parametrize("trusted", [True, False], ids=["known authority", "another authority"])
def test_the_worklist_is_asked_over_tls_where_it_is_configured(folder: Path, tmp_path: Path, trusted: bool) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    theirs, ours = (pems(tmp_path / name, authority, authority) for name in ("ris", "us"))
    if not trusted:
        ours = pems(tmp_path / "stranger", authority, stranger)
    secured = {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(theirs / "cert.pem"),
        "DicomTlsPrivateKey": str(theirs / "key.pem"),
        "DicomTlsTrustedCertificates": str(theirs / "ca.pem"),
    }
    with orthanc_worklist_running(BOOKINGS, tmp_path / "peer", secured) as peer:
        configure(folder, peer)
        with (folder / "migration.toml").open("a", encoding="utf-8") as file:
            file.write("[tls]\n")
            file.writelines(f'{name} = "{ours}/{name}.pem"\n' for name in ("cert", "key", "ca"))
        said = say(folder, "--json", "plan", "--worklist")
    assert said.code == (0 if trusted else PeerUnavailable.exit_code), said.stderr
    assert not trusted or said.json["worklist"]["steps"] == 5


def pems(folder: Path, authority: trustme.CA, trusts: trustme.CA) -> Path:
    """A folder with cert.pem and key.pem for 127.0.0.1, and ca.pem of whom to trust."""
    folder.mkdir()
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    trusts.cert_pem.write_to_path(folder / "ca.pem")
    return folder


@pytest.mark.dcmtk
def test_a_peer_without_a_worklist_is_refused_and_the_kept_list_stays(
    folder: Path, dcmqrscp: Callable[..., Dcmqrscp]
) -> None:
    (folder / "worklist.csv").write_text("patient_id,issuer_of_patient_id\nSECRET-1,\n", encoding="utf-8")
    archive = dcmqrscp()
    configure(folder, WorklistPeer(archive.ae_title, archive.port))
    said = say(folder, "plan", "--worklist")
    assert said.code == PeerRefused.exit_code
    assert say(folder, "plan").code == 0
    assert order_of(folder)[0] == "1.2.3.1"


def test_a_plan_that_needs_the_worklist_says_how_to_ask_it(folder: Path) -> None:
    said = say(folder, "plan")
    assert said.code == 20
    assert "migrate plan --worklist" in said.stderr


def test_a_worklist_that_is_not_configured_cannot_be_asked(folder: Path) -> None:
    (folder / "migration.toml").write_text('[run]\nname = "t"\nsource = "TEST"\n', encoding="utf-8")
    said = say(folder, "plan", "--worklist")
    assert said.code == 20
    assert "[plan.worklist]" in said.stderr


def test_a_list_that_the_plan_does_not_name_is_told(folder: Path) -> None:
    (folder / "worklist.csv").write_text("patient_id,issuer_of_patient_id\n", encoding="utf-8")
    configure(folder, WorklistPeer("RIS", free_port()), waves="[]")
    said = say(folder, "plan")
    assert said.code == 0
    assert "booked stands neither in plan.order nor in plan.waves" in said.stdout


@pytest.mark.parametrize("content", [b'patient_id\n\xff\xfe\x00"', b"", b"\0\0"], ids=["garbage", "empty", "zeros"])
def test_a_damaged_list_moves_nobody_and_breaks_nothing(folder: Path, content: bytes) -> None:
    (folder / "worklist.csv").write_bytes(content)
    said = say(folder, "plan")
    assert said.code in {0, 20}
    assert "Traceback" not in said.stderr
