"""A token is good once: in the process, across processes through Redis, and also while the shared memory is away."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import which

import pytest

from cds_service.clients.redis_memory import RedisMemory
from cds_service.clients.replay import ProcessMemory, ReplayMemory, ReplayUnavailable, SharedMemory, seconds_left, token_key
from cds_service.observe import LOG
from tests.clients_floor import BASE, ISSUER, SIGN, registry_file, token
from tests.web_floor import CALL, client_with

ROOT = Path(__file__).parent.parent


def in_seconds(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def test_a_token_is_new_once() -> None:
    memory = ProcessMemory()
    assert [memory.first_use("a", "1", in_seconds(9)) for _ in range(3)] == [True, False, False]


def test_tokens_are_told_apart_by_issuer_and_id() -> None:
    memory = ProcessMemory()
    pairs = [("a", "1"), ("b", "1"), ("a", "2"), ("a 1", "2"), ("a", "1 2"), ("", "x"), ("a", "\ud800")]
    assert [memory.first_use(*pair, in_seconds(9)) for pair in pairs] == [True] * len(pairs)
    assert len({token_key(*pair) for pair in pairs}) == len(pairs)


def test_a_token_is_forgotten_when_it_has_expired_and_not_before() -> None:
    now = [1000.0]
    memory = ProcessMemory(lambda: now[0])
    ends = datetime.fromtimestamp(1100, UTC)
    assert memory.first_use("a", "1", ends)
    now[0] = 1100.0
    assert (memory.first_use("a", "1", ends), len(memory)) == (False, 1)
    now[0] = 1100.1
    assert (memory.first_use("a", "2", datetime.fromtimestamp(1200, UTC)), len(memory)) == (True, 1)


def test_a_token_that_lasts_longer_is_kept_while_others_leave() -> None:
    now = [0.0]
    memory = ProcessMemory(lambda: now[0])
    for number in (50, 10, 30):
        assert memory.first_use("a", str(number), datetime.fromtimestamp(number, UTC))
    now[0] = 20.0
    assert [memory.first_use("a", str(number), datetime.fromtimestamp(60, UTC)) for number in (50, 30, 10)] == [False, False, True]


def test_of_many_threads_one_is_first() -> None:
    memory = ProcessMemory()
    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(lambda _: memory.first_use("a", "1", in_seconds(9)), range(200))) == 1


class Shared:
    """A shared memory that can be away."""

    def __init__(self) -> None:
        self.memory = ProcessMemory()
        self.is_away = False
        self.asked = 0

    def first_use(self, issuer: str, token_id: str, expires: datetime) -> bool:
        self.asked += 1
        if self.is_away:
            raise ReplayUnavailable("TOKEN-020 away")
        return self.memory.first_use(issuer, token_id, expires)


def test_what_another_process_used_is_used() -> None:
    shared = Shared()
    one, other = SharedMemory(shared), SharedMemory(shared)
    assert [memory.first_use("a", "1", in_seconds(9)) for memory in (one, other, one)] == [True, False, False]


def test_while_the_shared_memory_is_away_each_process_remembers_for_itself() -> None:
    shared, now = Shared(), [0.0]
    memory = SharedMemory(shared, lambda: now[0])
    shared.is_away = True
    assert [memory.first_use("a", "1", in_seconds(9)) for _ in range(2)] == [True, False]
    assert [memory.first_use("a", str(number), in_seconds(9)) for number in range(2, 9)] == [True] * 7
    assert shared.asked == 1
    shared.is_away, now[0] = False, 5.0
    assert shared.memory.first_use("a", "9", in_seconds(9))
    assert [memory.first_use("a", number, in_seconds(9)) for number in ("1", "9")] == [False, False]


def test_the_shared_memory_that_goes_away_and_comes_back_is_told_once_each() -> None:
    shared, now, told = Shared(), [0.0], list[str]()
    memory = SharedMemory(shared, lambda: now[0], told.append)
    for at, is_away in ((0.0, False), (1.0, True), (9.0, True), (20.0, False), (30.0, False)):
        shared.is_away, now[0] = is_away, at
        assert memory.first_use("a", str(at), in_seconds(99))
    assert [what.partition(":")[0] for what in told] == ["TOKEN-020 away", "the shared memory of used tokens is back"]


def test_the_log_says_that_the_shared_memory_is_away(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = client_with(clients_file=registry_file(tmp_path), public_url=BASE, replay_redis_url="redis://127.0.0.1:1/0")
    monkeypatch.setattr(LOG, "propagate", True)
    answers = [service.get("/cds-services", headers={"Authorization": f"Bearer {token(aud=f'{BASE}/cds-services')}"}) for _ in range(2)]
    told = [json.loads(record.getMessage()) for record in caplog.records if '"trouble"' in record.getMessage()]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert [(one["part"], one["what"].partition(": ")[0]) for one in told] == [("tokens", "TOKEN-020 Redis")]


def test_calls_go_on_while_the_shared_memory_is_away(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        service = client_with(clients_file=registry_file(tmp_path), public_url=BASE, replay_redis_url=url)
        sent = [token() for _ in range(10)]
        started = time.monotonic()
        statuses = [
            service.post(SIGN, data=CALL, content_type="application/json", headers={"Authorization": f"Bearer {one}"}).status_code
            for one in [*sent, *sent]
        ]
        assert (statuses, time.monotonic() - started < 1.5) == ([200] * 10 + [401] * 10, True)


def test_the_seconds_left_are_whole_and_at_least_one() -> None:
    assert [seconds_left(in_seconds(seconds)) for seconds in (-5, 0.5, 10.5)] == [1, 1, 11]


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = which("redis-server") or which("valkey-server")
    if server is None:
        pytest.skip("neither redis-server nor valkey-server is installed")
    place = tmp_path_factory.mktemp("redis") / "socket"
    arguments = [server, "--port", "0", "--unixsocket", str(place), "--save", "", "--appendonly", "no", "--dir", str(place.parent)]
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(100):
        if place.exists():
            break
        time.sleep(0.05)
    yield f"unix://{place}"
    process.terminate()
    process.wait(10)


def test_redis_remembers_across_connections_and_forgets_by_itself(redis_url: str) -> None:
    one, other = RedisMemory(redis_url), RedisMemory(redis_url)
    memories: list[ReplayMemory] = [one, other, one]
    assert [memory.first_use("a", "1", in_seconds(60)) for memory in memories] == [True, False, False]
    assert one.first_use("a", "short", in_seconds(-5))
    time.sleep(1.1)
    assert one.first_use("a", "short", in_seconds(9))


def test_redis_that_is_away_is_told() -> None:
    with pytest.raises(ReplayUnavailable) as told:
        RedisMemory("redis://127.0.0.1:1/0").first_use("a", "1", in_seconds(9))
    assert str(told.value) == "TOKEN-020 Redis: ConnectionError"


ONE_PROCESS = """
import sys
from datetime import UTC, datetime, timedelta
from cds_service.clients.redis_memory import RedisMemory
memory = RedisMemory(sys.argv[1])
ends = datetime.now(UTC) + timedelta(seconds=60)
sys.stdin.readline()
print(sum(memory.first_use("issuer", f"both{number}", ends) for number in range(300)))
"""


def test_of_two_processes_one_is_first(redis_url: str) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", ONE_PROCESS, redis_url],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    counts = [int(process.communicate(timeout=30)[0]) for process in processes]
    assert sum(counts) == 300


def test_two_services_share_what_was_used(redis_url: str, tmp_path: Path) -> None:
    file = registry_file(tmp_path)
    services = [client_with(clients_file=file, public_url=BASE, replay_redis_url=redis_url) for _ in range(2)]
    sent = {"Authorization": "Bearer " + token(iss=ISSUER)}
    assert [one.post(SIGN, data=CALL, content_type="application/json", headers=sent).status_code for one in services] == [200, 401]
