"""The search for the highest rate that holds: results of trials in, the next trial or the end out.

The rate doubles until it breaks. Then, the next rate is chosen by the distances of the shares from their limits, until
a rate that holds and one that breaks are close enough. If rates near the limit remain undecided, the bounds are those
of a curve through the trials of all rates. Last, the lower bound is confirmed by a longer trial. MLRsearch (RFC 9971)
searches in the same way, with other conditions for a bound: there, a trial loses frames or not.

Nothing here measures, and nothing reads a clock.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from loadgate.analysis.capacity.crossing import Crossing, bounds_by, crossings_of, next_to, rule_bounds
from loadgate.analysis.capacity.level import MAX_TRIALS, Level, State, level_of
from loadgate.analysis.capacity.next_rate import Bounds, bounds_of, estimated, rate_between, rounded
from loadgate.analysis.capacity.plan import End, Ending, Fit, NextTrial, Purpose, SearchPlan
from loadgate.analysis.capacity.trial import Trial, Void

GENERATOR_ENDED = "the generator ended the search"
BUDGET_ENDED = "the budget ended"

MAX_VOIDS = 2
"""A rate with so many trials that prove nothing is not tried again."""

MAX_HALVINGS = 4
"""If the first rate breaks, so many lower ones are tried, each half of the one before."""

MAX_DOUBLINGS = 3
"""The rest of a target that recovers slowly becomes at most so many times twice as long."""

EARLY = 0.8
"""If so much of the bad requests is in the first half of a trial, the target recovers in it."""

STARTING_S = 8.0
"""Roughly the time to start and stop a target and Locust, until it has been measured."""


@dataclass(frozen=True, slots=True)
class _Done:
    """A trial that was carried out."""

    trial: Trial
    purpose: Purpose
    is_discarded: bool = False

    @property
    def is_usable(self) -> bool:
        """Return whether it shows something about its rate."""
        return self.trial.void is None and not self.is_discarded


class Search:
    """A search. `step` says what to do next, and `add` adds the result of the trial of the last step."""

    def __init__(self, plan: SearchPlan) -> None:
        self.plan = plan
        self._done: list[_Done] = []
        self._levels: dict[float, Level] = {}
        self._elapsed_s = 0.0
        self._starting_s = STARTING_S
        self._crossings: tuple[Crossing, ...] = ()

    @property
    def levels(self) -> list[Level]:
        """Return all rates with usable trials, ascending."""
        return [self._levels[rate] for rate in sorted(self._levels)]

    def level_at(self, rate_per_s: float) -> Level | None:
        """Return the level of a rate. None if none of its trials counts, for example because it was void."""
        return self._levels.get(rate_per_s)

    def add(self, step: NextTrial, trial: Trial, took_s: float) -> None:
        """Add the result of a step, which took `took_s` in all."""
        self._elapsed_s += took_s
        self._starting_s = max(0.0, took_s - step.rest_s - self.plan.settle_s - trial.length_s)
        self._done.append(_Done(trial, step.purpose, self._is_suspect(trial)))
        rate = trial.rate_per_s
        if usable := self._usable(rate):
            # A rate that holds only for a short time does not hold.
            breaks_later = step.purpose is Purpose.CONFIRM and self._breaks(trial)
            self._levels[rate] = level_of([trial] if breaks_later else usable, self.plan.criteria)
        self._crossings = self._found_crossings()

    def step(self) -> NextTrial | End:
        """Return the next trial, or the end."""
        if self.plan.at_least is not None:
            return self._only(self.plan.at_least)
        step = self._next()
        return self._with_fit(step) if isinstance(step, End) and self._crossings else step

    def stop(self, reason: str) -> End:
        """Return the end of a search that cannot go on, with the bounds so far. `reason` is one clause."""
        end = replace(self._end(reason), is_stopped=True)
        return self._with_fit(end) if self._crossings else end

    def _next(self) -> NextTrial | End:
        if (again := self._again()) is not None:
            return again
        bounds = self.bounds
        if bounds.breaks is None:
            return self._grow(bounds.holds)
        if self._crossings:
            return self._approach(self._crossings, bounds.holds, bounds.breaks)
        return self._narrow(bounds.holds, bounds.breaks)

    @property
    def bounds(self) -> Bounds:
        """Return the bounds so far."""
        levels = self.levels
        found = bounds_by(self._crossings, levels, self.plan.criteria) if self._crossings else bounds_of(levels)
        is_possible = found.holds is None or found.breaks is None or found.holds < found.breaks
        return found if is_possible else bounds_of(levels)

    @property
    def rule_bounds(self) -> dict[str, Bounds]:
        """Return the bounds of each rule by itself."""
        return rule_bounds(self._crossings, self.levels, self.plan.criteria)

    def _found_crossings(self) -> tuple[Crossing, ...]:
        bounds = bounds_of(self.levels)
        if bounds.breaks is None:
            return ()
        low, high = math.log(bounds.holds or min(self._lowest, bounds.breaks)), math.log(bounds.breaks)
        trials = [done.trial for done in self._done if done.is_usable and not done.trial.ended]
        return crossings_of(trials, self.plan.criteria, estimated(self.levels, low, high).rate)

    def _approach(self, crossings: Sequence[Crossing], holds: float | None, breaks: float) -> NextTrial | End:
        """Return a rate near the limit of the rule that breaks first, the trial that confirms, or the end."""
        confirmed = self._confirmed()
        if holds is not None and confirmed is not None:
            holds = min(holds, confirmed)  # a rate below a confirmed one holds too
        is_close = holds is not None and breaks / holds <= 1 + self.plan.width
        if not is_close:
            rate = next_to(crossings[0].curve, self.plan.width, self.levels)
            trial = self._trial(rate, self.plan.trial_s, Purpose.BOUND)
            if self._leaves_time(trial) or (confirmed is not None and self._is_affordable(trial)):
                return trial
        reason = "" if is_close else BUDGET_ENDED
        if holds is None or confirmed is None:
            return self._confirm(holds, breaks, reason)
        return End(Ending.SUSTAINS if is_close else Ending.BETWEEN, holds, breaks, reason, is_confirmed=True)

    def _with_fit(self, end: End) -> End:
        """Return the end with the curve from which its bounds come, and the budget that would bring them closer."""
        curve, fit = self._crossings[0].curve, Fit(self._crossings[0].rule, len(self._crossings[0].curve.points))
        if end.holds is None or end.breaks is None or None in {curve.low, curve.high}:
            return end
        times = (math.log(end.breaks / end.holds) / math.log1p(self.plan.width)) ** 2
        if times <= 1:
            return replace(end, fit=fit)
        # The width falls with the square root of the number of trials near the limit.
        each_s = self._cost_s(self._trial(end.holds, self.plan.trial_s, Purpose.BOUND))
        return replace(end, fit=fit, wanted_budget_s=self._elapsed_s + (times - 1) * fit.trials * each_s)

    def _confirmed(self) -> float | None:
        """Return the highest rate that the longer trial has confirmed. None if there is none."""
        rates = {done.trial.rate_per_s for done in self._done if done.purpose is Purpose.CONFIRM and done.is_usable}
        levels = [self._levels[rate] for rate in rates if self._levels[rate].state is not State.BREAKS]
        return max((level.rate_per_s for level in levels if level.queue.holds and level.is_settled), default=None)

    def _narrow(self, holds: float | None, breaks: float) -> NextTrial | End:
        """Return a rate between the bounds, the trial that confirms the lower one, or the end."""
        if holds is None and breaks <= self._lowest * (1 + self.plan.width / 2):
            return End(Ending.NONE, None, breaks)
        if holds is not None and breaks / holds <= 1 + self.plan.width:
            return self._confirm(holds, breaks, "")
        rate = rate_between(self.levels, Bounds(holds, breaks), self.plan.width, self._lowest, self._void_rates)
        if rate is None:
            return self._confirm(holds, breaks, "the rates between could not be decided")
        return self._bound(rate, holds, breaks)

    @property
    def _lowest(self) -> float:
        return rounded(self.plan.first / 2**MAX_HALVINGS)

    def _usable(self, rate: float) -> list[Trial]:
        return [done.trial for done in self._done if done.trial.rate_per_s == rate and done.is_usable]

    def _is_suspect(self, trial: Trial) -> bool:
        """Return whether a target that a higher rate has just broken may not have recovered in time for a trial.

        It then breaks the rate, or most of its bad requests are in the first half of the trial.
        """
        if self.plan.is_fresh or not self._done:
            return False
        before, state = self._done[-1].trial, self._state_of(trial)
        is_slow = state is State.BREAKS or (state is State.UNDECIDED and trial.early_share >= EARLY)
        return is_slow and before.rate_per_s > trial.rate_per_s and self._breaks(before)

    def _breaks(self, trial: Trial) -> bool:
        return self._state_of(trial) is State.BREAKS

    def _state_of(self, trial: Trial) -> State | None:
        """Return what a trial by itself shows. None if it is void."""
        return level_of([trial], self.plan.criteria).state if trial.void is None else None

    def _voids(self, rate: float) -> list[Void]:
        return [done.trial.void for done in self._done if done.trial.rate_per_s == rate and done.trial.void is not None]

    def _trial(self, rate: float, length_s: float, purpose: Purpose) -> NextTrial:
        last = self._done[-1] if self._done else None
        needs_rest = not self.plan.is_fresh and last is not None and (last.is_discarded or self._breaks(last.trial))
        return NextTrial(rate, length_s, purpose, self._rest_s if needs_rest else 0.0)

    @property
    def _rest_s(self) -> float:
        """Return the time for which the target rests: twice as long whenever the last rest was too short."""
        too_short = (
            first.is_discarded and again.is_usable and not self._breaks(again.trial)
            for first, again in pairwise(self._done)
        )
        return self.plan.rest_s * 2.0 ** min(sum(too_short), MAX_DOUBLINGS)

    def _again(self) -> NextTrial | End | None:
        """Return the last rate again, or the end, if its last trial does not suffice."""
        if not self._done:
            return None
        last = self._done[-1]
        rate, length_s = last.trial.rate_per_s, last.trial.length_s
        purpose = last.purpose if last.purpose is Purpose.CONFIRM else Purpose.AGAIN
        if last.is_discarded:
            return self._if_affordable(self._trial(rate, length_s, purpose))
        if last.trial.void is not None:
            if len(self._voids(rate)) < MAX_VOIDS:
                return self._if_affordable(self._trial(rate, length_s, purpose))
            return None if last.trial.void.by_generator else self._end(last.trial.void.reason)
        level = self._levels[rate]
        is_clear = last.purpose is Purpose.GROW and not level.seems_broken
        # With a curve, another rate near the limit tells as much, and also how the curve rises.
        if self._crossings or is_clear or not level.can_be_decided:
            return None
        again = self._trial(rate, self.plan.trial_s, Purpose.AGAIN)
        return again if self._leaves_time(again) else None

    def _grow(self, holds: float | None) -> NextTrial | End:
        """Return a rate above all others, or the end if there can be none."""
        if not self._done:
            return self._trial(rounded(min(self.plan.first, self.plan.to)), self.plan.growth_s, Purpose.GROW)
        highest = self.levels[-1].rate_per_s if self._levels else 0.0
        if (ceiling := self._ceiling) is not None:
            return self._below(ceiling, holds, max(holds or 0.0, highest))
        if highest >= self.plan.to:
            return self._at_the_top(self._levels[highest], holds)
        rate = rounded(min(2 * highest, self.plan.to))
        return self._if_affordable(self._trial(rate, self.plan.growth_s, Purpose.GROW))

    def _below(self, ceiling: float, holds: float | None, highest: float) -> NextTrial | End:
        """Return a rate between the highest so far and one that the generator cannot make."""
        rate = rounded(math.sqrt(highest * ceiling)) if highest else 0.0
        if holds is not None and ceiling / highest > 1 + self.plan.width and rate not in self._levels:
            return self._bound(rate, holds, None)
        return self._confirm(holds, None, GENERATOR_ENDED, by_generator=True)

    def _at_the_top(self, top: Level, holds: float | None) -> NextTrial | End:
        """Return another trial of the highest rate to try, until it is decided."""
        if top.state is State.HOLDS:
            return self._confirm(top.rate_per_s, None, "no higher rate was to be tried")
        if len(top.trials) < MAX_TRIALS:
            return self._if_affordable(self._trial(top.rate_per_s, self.plan.trial_s, Purpose.AGAIN))
        return self._confirm(holds, None, "the highest rate to try could not be decided")

    @property
    def _ceiling(self) -> float | None:
        """Return the lowest rate that the generator could not make. None if there is none."""
        return min((rate for rate in self._void_rates if self._voids(rate)[-1].by_generator), default=None)

    @property
    def _void_rates(self) -> list[float]:
        """Return the rates that are not tried again, because their trials prove nothing."""
        rates = {done.trial.rate_per_s for done in self._done if done.trial.rate_per_s not in self._levels}
        return [rate for rate in rates if len(self._voids(rate)) >= MAX_VOIDS]

    def _only(self, rate: float) -> NextTrial | End:
        """Return a trial of the only rate, or the end."""
        level, voids = self._levels.get(rate), self._voids(rate)
        if level is not None and level.state is not State.UNDECIDED:
            holds = level.state is State.HOLDS
            ending = Ending.AT_LEAST if holds else Ending.BETWEEN
            return End(ending, rate if holds else None, None if holds else rate)
        if len(voids) >= MAX_VOIDS:
            return self._end(voids[-1].reason, by_generator=voids[-1].by_generator)
        if level is not None and len(level.trials) >= MAX_TRIALS:
            return self._end(f"it is undecided after {MAX_TRIALS} trials")
        return self._if_affordable(self._trial(rate, self.plan.trial_s, Purpose.ONLY))

    def _bound(self, rate: float, holds: float | None, breaks: float | None) -> NextTrial | End:
        """Return a trial at a rate between the bounds, if there is time for it and for the confirmation."""
        trial = self._trial(rate, self.plan.trial_s, Purpose.BOUND)
        return trial if self._leaves_time(trial) else self._confirm(holds, breaks, BUDGET_ENDED)

    def _leaves_time(self, trial: NextTrial) -> bool:
        """Return whether there is time for a trial, and then for that which confirms the lower bound."""
        confirmation = self._trial(trial.rate_per_s, self.plan.confirm_s, Purpose.CONFIRM)
        return self._elapsed_s + self._cost_s(trial) + self._cost_s(confirmation) <= self.plan.budget_s

    def _confirm(
        self, holds: float | None, breaks: float | None, reason: str, *, by_generator: bool = False
    ) -> NextTrial | End:
        """Return the end with these bounds, or the trial that is missing to confirm the lower one."""
        if holds is None:
            return self._end(reason, by_generator=by_generator)
        ending = Ending.AT_LEAST if breaks is None else Ending.BETWEEN if reason else Ending.SUSTAINS
        end = End(ending, holds, breaks, reason, is_confirmed=True, by_generator=by_generator)
        if self._is_confirmed(holds):
            return end
        trial = self._trial(holds, self.plan.confirm_s, Purpose.CONFIRM)
        voids = self._voids(holds)
        if len(voids) < MAX_VOIDS and self._is_affordable(trial):
            return trial
        unconfirmed = voids[-1].reason if len(voids) >= MAX_VOIDS else BUDGET_ENDED
        reason = reason or f"the lower bound was not confirmed: {unconfirmed}"
        ending = Ending.AT_LEAST if breaks is None else Ending.BETWEEN
        return replace(end, ending=ending, reason=reason, is_confirmed=False)

    def _is_confirmed(self, rate: float) -> bool:
        """Return whether the longer trial of a rate has been carried out. If it breaks, the rate does not hold."""
        return any(
            done.purpose is Purpose.CONFIRM and done.trial in self._levels[rate].trials
            for done in self._done
            if done.trial.rate_per_s == rate and rate in self._levels
        )

    def _if_affordable(self, trial: NextTrial) -> NextTrial | End:
        return trial if not self._done or self._is_affordable(trial) else self._end(BUDGET_ENDED)

    def _is_affordable(self, trial: NextTrial) -> bool:
        return self._elapsed_s + self._cost_s(trial) <= self.plan.budget_s

    def _cost_s(self, trial: NextTrial) -> float:
        return trial.rest_s + self.plan.settle_s + trial.length_s + self._starting_s

    def _end(self, reason: str, *, by_generator: bool = False) -> End:
        """Return an end with the bounds so far."""
        bounds = self.bounds
        is_confirmed = bounds.holds is not None and self._is_confirmed(bounds.holds)
        ending = Ending.BETWEEN
        if bounds.breaks is None and bounds.holds is not None:
            ending = Ending.AT_LEAST
        return End(ending, bounds.holds, bounds.breaks, reason, is_confirmed, by_generator)
