"""What the supervisor of a program is told, and what it tells in the end."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Stop:
    """An answer of `on_tick`: end the program; with `force` without the grace."""

    force: bool
    reason: str


@dataclass(slots=True)
class Outcome:
    """How a program ended. Times in seconds; `started_at` and `ended_at` count from the Unix epoch."""

    exit_code: int | None = None  # None when a signal ended it
    signal: int | None = None
    reason: str | None = None  # None: it ended by itself; "stopped"; "timeout"
    cpu_seconds: float = 0.0  # user and system of the program, what it waited for, and what we adopted from it
    max_rss: int = 0  # bytes, of its largest single process
    started_at: float = 0.0
    ended_at: float = 0.0
    seconds: float = 0.0  # by the monotonic clock
    leftovers: int = 0  # processes that outlived the program and had to be ended
    killed: bool = False  # SIGKILL was needed, or asked for
    beyond_reach: list[int] = field(default_factory=list)  # alive, but we are not allowed to signal them
