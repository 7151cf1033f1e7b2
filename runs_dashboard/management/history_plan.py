"""Which runs a made-up history has: when each began, how it ended, which retries or calls which.

Everything is drawn from one seed, and what a run prints from a seed of its own, so the same seed gives the same data.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from random import Random
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .synthetic import Habit

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
SPREAD = 0.45  # sigma of the durations' logarithm
RETRY_CHANCE, RETRY_SUCCESS = 0.55, 0.7
STOP_CHANCE = 0.004
INCIDENT_DAYS = 6.0  # between two incidents of a flow, on average
INCIDENT_FAILING = 0.75


class Plan(msgspec.Struct, gc=False):
    """One run. Times are Unix milliseconds; `failed_at` is the place of the step at which it ended, -1 for none."""

    start: int
    habit: int
    seed: int
    status: str
    failed_at: int
    error: int
    subject: int  # the seed of what it is about: a retry is about the same
    attempt: int = 1
    retries: Plan | None = None
    parent: Plan | None = None
    child: Plan | None = None
    is_retried: bool = False
    resolved_by: Plan | None = None  # the retry that succeeded
    pk: int = 0
    uid: str = ""


def make_plan(habits: Sequence[Habit], *, runs: int, start: int, end: int, seed: int) -> list[Plan]:
    """`runs` runs between two times, in the order of their start."""
    return _Planner(habits, runs, start, end, seed).make()


def step_times(habits: Sequence[Habit], plan: Plan) -> list[int]:
    """How long each step that ran took, in milliseconds: log-normal, never less than 5."""
    draw = Random(plan.seed).lognormvariate  # noqa: S311  (reproducible is what is wanted)
    times = [max(5, int(seconds * 1000 * draw(0, SPREAD))) for seconds in habits[plan.habit].steps.values()]
    if plan.failed_at >= 0:
        del times[plan.failed_at + 1 :]
    if plan.child is not None:
        times[-1] = sum(step_times(habits, plan.child)) + 60
    return times


class _Planner:
    def __init__(self, habits: Sequence[Habit], runs: int, start: int, end: int, seed: int) -> None:
        self.habits, self.runs, self.start, self.end = habits, runs, start, end
        self.random = Random(seed)  # noqa: S311
        self.places = {habit.slug: place for place, habit in enumerate(habits)}
        self.weights = list(accumulate(habit.weight for habit in habits))
        self.hours = [self._hours(habit) for habit in habits]
        self.incidents = [self._incidents() for _ in habits]
        self.found: list[Plan] = []

    def make(self) -> list[Plan]:
        while len(self.found) < self.runs:
            self._add_own()
        self.found.sort(key=lambda plan: (plan.start, plan.seed))
        return self.found

    def _hours(self, habit: Habit) -> list[float]:
        """How likely each hour of the period is, summed up: by hour of the day and by day of the week."""
        weights = []
        for hour in range((self.end - self.start) // HOUR_MS):
            at = self.start // HOUR_MS + hour
            weekday = (at // 24 + 3) % 7  # the epoch began on a Thursday
            weights.append(habit.hours[at % 24] * (habit.weekend if weekday >= 5 else 1.0))
        return list(accumulate(weights))

    def _incidents(self) -> list[tuple[int, int, int]]:
        """(start, end, which error) of the times when a flow fails most of the time."""
        found: list[tuple[int, int, int]] = []
        at = float(self.start)
        while True:
            at += self.random.expovariate(1 / (INCIDENT_DAYS * DAY_MS))
            if at >= self.end:
                return found
            length = self.random.lognormvariate(0.5, 0.7) * HOUR_MS
            found.append((int(at), int(at + length), self.random.randrange(100)))
            at += length

    def _add_own(self) -> None:
        random = self.random
        place = bisect_right(self.weights, random.random() * self.weights[-1])
        habit, hours = self.habits[place], self.hours[place]
        hour = bisect_right(hours, random.random() * hours[-1])
        minute = random.randrange(60) // habit.grid * habit.grid
        delay = random.expovariate(1 / 900) if habit.grid > 1 else random.random() * 60_000
        at = self.start + hour * HOUR_MS + minute * 60_000 + int(delay)
        self._add(self._draw(place, at, subject=random.getrandbits(48)))

    def _draw(self, place: int, at: int, *, subject: int, success: float | None = None) -> Plan:
        random, habit = self.random, self.habits[place]
        failing, error = habit.failing, random.randrange(100)
        for begin, end, kind in self.incidents[place]:
            if begin <= at < end:
                failing, error = INCIDENT_FAILING, kind
                break
        if success is not None:
            failing = 1 - success
        status, failed_at = "succeeded", -1
        chance = random.random()
        if chance < failing:
            status, failed_at = "failed", min(len(habit.steps) - 1, int(random.random() * (len(habit.steps) + 0.7)))
        elif chance > 1 - STOP_CHANCE:
            status, failed_at = "stopped", random.randrange(len(habit.steps))
        return Plan(at, place, random.getrandbits(48), status, failed_at, error, subject)

    def _add(self, plan: Plan) -> None:
        """The run, the run that its last step starts, and the retries that follow where it failed."""
        random = self.random
        while True:
            self._call(plan)
            end = plan.start + sum(step_times(self.habits, plan))
            if end >= self.end:
                return  # it would not be over yet
            self.found.append(plan)
            if plan.child is not None:
                self.found.append(plan.child)
            if plan.retries is not None:
                plan.retries.is_retried = True
            if plan.status == "succeeded":
                earlier = plan.retries
                while earlier is not None:
                    earlier.resolved_by, earlier = plan, earlier.retries
            if plan.status != "failed" or plan.attempt > 3 or random.random() > RETRY_CHANCE:
                return
            if len(self.found) >= self.runs:
                return
            at = end + int(random.lognormvariate(0, 1.1) * 240_000)
            retry = self._draw(plan.habit, at, subject=plan.subject, success=RETRY_SUCCESS)
            retry.attempt, retry.retries = plan.attempt + 1, plan
            plan = retry

    def _call(self, plan: Plan) -> None:
        """Gives the run its sub-run, where it got to the step that starts one, and there is room for two."""
        habit = self.habits[plan.habit]
        last = len(habit.steps) - 1
        if not habit.calls or plan.failed_at not in (-1, last) or len(self.found) + 2 > self.runs:
            return
        at = plan.start + sum(step_times(self.habits, plan)[:last])
        called = self._draw(self.places[habit.calls], at, subject=plan.subject, success=1.0)
        called.status, called.parent = plan.status, plan
        called.failed_at = -1
        if plan.status != "succeeded":
            called.failed_at = self.random.randrange(len(self.habits[called.habit].steps))
        plan.child = called
