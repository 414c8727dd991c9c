"""The live loop: seven tasks that `Tasks.keep_running` restarts after every error.

`feed` stores the intervals that the feed closes, `assessments` has them assessed, `provisional` has
the open interval assessed where the plant's stride is shorter than its cadence, `inference` asks
whether the models are available, `status` publishes the state of all this, `alarm journal` stores
limit alarms, and `drift` measures drift.

Every interval of the feed is stored once, by its start. Every stored interval is assessed, newest
first. What a task needs after a restart is in the database, so an error at any point loses nothing.
A provisional assessment is published but not stored. It is removed once the next interval is
closed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from alarmstack.core.clock import Clock
from alarmstack.core.errors import ObservationError, UpstreamError
from alarmstack.core.plant import Plant
from alarmstack.core.tasks import Task, Tasks, reason_of
from alarmstack.services.monitor.alarm_state import AlarmState, FeedReading, Warned
from alarmstack.services.monitor.heavy_reads import HeavyReads, find_comparison, find_drift
from alarmstack.services.monitor.model_checks import Recalibration
from alarmstack.services.monitor.overview import RecentAssessments, overview
from alarmstack.services.monitor.plan import MOST_PULLED, block, missing
from alarmstack.services.monitor.status import Sources
from alarmstack.services.monitor.upstream import Upstream
from alarmstack.services.monitor.validation import (
    Bounds,
    Validator,
    on_grid,
    parsed,
    reason_for,
    written,
)
from alarmstack.services.monitor.warning import LEAD_IN, outputs_of, warned, warnings
from alarmstack.services.runtime.broadcast import Event, Hub
from alarmstack.services.schemas.gateway import (
    Comparison,
    Drift,
    FeedStatus,
    PlantAssessment,
    PlantState,
)
from alarmstack.services.schemas.inference import Assessment, Ready, References, TaskState
from alarmstack.services.schemas.observations import Observation
from alarmstack.services.schemas.sensors import KEPT_READINGS, FeedMeta, Live
from alarmstack.storage.database import Database, journal, limit_alarms, plant_history, quarantine
from alarmstack.storage.database.plant_history import Past

WATCH_SECONDS = 2.0
"""How often the status is published where it changed."""
READY_SECONDS = 10.0
"""How often inference is asked whether its models are available."""
READY_TIMEOUT = 5.0
"""How long inference may take to answer that; it answers from memory."""
REFUSED_IN_A_ROW = 3
"""Newest intervals that inference has refused, one after the other, when assessments count as down.

One of them can be an unusual interval.
"""
DRIFT_SECONDS = 60.0
"""How often drift is measured."""
DRIFT_STALLS_AFTER = 600.0
"""Seconds that one measurement of drift may take: it reads weeks of the past."""
REFUSALS = (400, 413, 422)
"""Statuses with which inference refuses a block because of its content."""
READING_KEPT_EVERY = 10.0
"""Seconds between two invalid readings that are quarantined: several arrive in a second."""
STALL_SILENCES = 2
"""The feed is reconnected after this multiple of the silence that makes it stale."""
RECALIBRATED = "recalibrated"
"""Action of a recalibration in the journal."""
log = logging.getLogger(__name__)


class Monitor:
    """Feed → stored intervals → assessments and warnings → hub. `run` it once, until cancelled."""

    def __init__(
        self,
        plant: Plant,
        database: Database,
        sensors: Upstream,
        inference: Upstream,
        hub: Hub,
        clock: Clock,
        tasks: Tasks,
        bounds: Bounds,
        most_quarantined: int,
        reader: HeavyReads,
        url: str,
    ) -> None:
        self._plant, self._database = plant, database
        self._reader, self._url = reader, url
        self._sensors, self._inference = sensors, inference
        self._hub, self._clock, self._tasks = hub, clock, tasks
        self._validator, self._most_quarantined = Validator(plant, bounds), most_quarantined
        self._sources = Sources()
        self._begun = clock.now()
        tasks.on_change(self._publish_status)
        self._published_status: FeedStatus | None = None
        self._newest: datetime | None = None
        """Start of the newest interval of the feed."""
        self._newest_published: datetime | None = None
        """Start of the newest interval whose assessment was published."""
        self._refused: dict[datetime, str] = {}
        self._postponed: set[datetime] = set()
        self._models: str | None = None
        self._writing = asyncio.Lock()
        """Held while intervals or assessments are written.

        So an assessment is never stored for an older version of its interval.
        """
        self._assessed_until: datetime | None = None
        self._unassessed = 0
        self._reading_kept_at: datetime | None = None
        self.quarantined = 0
        """Rows of the feed that were quarantined since the start."""
        self.quarantine_reason: str | None = None
        self._work = asyncio.Event()
        self.caught_up = asyncio.Event()
        """Set while every interval that the feed has sent since the start was tried once."""
        self.simulated = False
        self.drifted: Drift | None = None
        """The newest drift report."""
        self.latest: PlantAssessment | None = None
        """The newest assessed interval, its assessment and the warnings after it."""
        self.provisional: PlantAssessment | None = None
        """The assessment of the interval that ends now, until the next interval is closed."""
        self.alarms = AlarmState(plant)
        """Every limit rule on the newest readings."""
        self._alarms_changed = asyncio.Event()
        self._alarms_restored = False
        self._published_state: PlantState | None = None
        self._stride_reached = asyncio.Event()
        self._since_closed: list[Past] = []
        """Provisional intervals that end after the newest closed one."""
        self.stored = 0
        self.assessed = 0
        self._assessed_listeners: list[Callable[[], None]] = []

    def status(self) -> FeedStatus:
        """The state of the sources and of the tasks."""
        progress = {
            "assessed_until": self._assessed_until,
            "unassessed": self._unassessed,
            "down": [TaskState(**task._asdict()) for task in self._tasks.down],
            "quarantined": self.quarantined,
            "quarantine_reason": self.quarantine_reason,
            "refused": len(self._refused),
            "refused_reason": next(reversed(self._refused.values()), None),
        }
        return self._sources.view(self._clock.now()).model_copy(update=progress)

    def state(self) -> PlantState:
        """Whether the plant is in alarm, and which warnings are active."""
        return self.alarms.view(self.status(), self._warned())

    def on_assessed(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each assessment that was stored."""
        self._assessed_listeners.append(listener)

    def feed_age(self) -> float | None:
        """Wall seconds since the last reading; None before the first one."""
        return self._sources.age(self._clock.now())

    async def run(self) -> None:
        """Run all tasks until cancelled. An error of one task ends neither it nor another one."""
        keep = self._tasks.keep_running
        async with asyncio.TaskGroup() as group:
            group.create_task(keep("feed", self._keep_receiving))
            group.create_task(keep("assessments", self._keep_assessing))
            group.create_task(keep("provisional", self._keep_assessing_open))
            group.create_task(keep("inference", self._keep_asking_inference))
            group.create_task(keep("status", self._keep_publishing_status))
            group.create_task(keep("alarm journal", self._keep_alarms_stored))
            drift = keep("drift", self._keep_measuring_drift, stalls_after=DRIFT_STALLS_AFTER)
            group.create_task(drift)

    async def overview(self, intervals: int) -> RecentAssessments:
        """The newest assessed intervals until the plant time of the feed, with their warnings."""
        async with self._database.begin() as session:
            return await overview(session, self._plant, self._sources.plant_time, intervals)

    async def drift(self) -> Drift:
        """How far the plant has drifted from the training data of the models.

        Raises UpstreamError while inference is unavailable.
        """
        references = await self._inference.get(References, "/reference")
        async with self._database.begin() as session:
            lines = await journal.of(session, RECALIBRATED)
        resets = {}
        for line in lines:
            key, at = line.value["key"], line.plant_time
            if at is not None and line.value["plant"] == self._plant.name:
                resets[key] = Recalibration(key, at, line.user, line.reason)
        models = tuple((model.name, model.version) for model in references.models)
        state = ("drift", models, tuple(sorted(resets.items())), self.stored, self.assessed)
        until = self._sources.plant_time
        self.drifted = await self._reader.read(
            state, find_drift, self._url, self._plant, until, references, resets, refusable=False
        )
        return self.drifted

    async def comparison(self) -> Comparison:
        """The champion/challenger comparison."""
        state, until = ("comparison", self.stored, self.assessed), self._sources.plant_time
        return await self._reader.read(
            state, find_comparison, self._url, self._plant, until, refusable=False
        )

    async def window(self, until: datetime | None = None) -> list[Observation]:
        """The newest closed intervals, oldest first: the input of a forecast now.

        `until`: the input of a forecast at that instant.
        """
        past = await self._past(self._plant.lookback, until)
        rows = block(self._validator, [interval.row for interval in past], self._plant.time.cadence)
        return [Observation.model_validate(row) for row in rows]

    async def _past(self, most: int, until: datetime | None = None) -> Sequence[Past]:
        """The newest intervals before the plant time of the feed, or before `until`."""
        end = self._sources.plant_time if until is None else until
        async with self._database.begin() as session:
            return await plant_history.past(session, self._plant.name, None, end, most)

    async def _keep_receiving(self, task: Task) -> None:
        """Store the intervals that the feed closes.

        The end of a connection is an error: the next connection begins with what was missed.
        """
        try:
            await self._connect()
            task.stalls_after = STALL_SILENCES * self._sources.silence
            async with self._sensors.events("/sensors/stream") as events:
                await self._fill(MOST_PULLED)
                await self._resume_alarms()
                self._sources.caught_up()
                self._publish_status()
                self._note_progress(task)
                async for event in events:
                    await self._process(event.event, event.data)
                    self._note_progress(task)
            raise UpstreamError(503, f"the {self._sensors.title} closed its stream")
        except Exception as error:
            self._sources.lost(reason_of(error))
            raise

    def _note_progress(self, task: Task) -> None:
        """Count progress only while readings arrive: a silent connection is a stall."""
        if self._sources.live(self._clock.now()):
            task.progress()

    async def _connect(self) -> None:
        meta = await self._sensors.get(FeedMeta, "/sensors/meta")
        if meta.plant != self._plant.name:
            raise UpstreamError(
                502,
                f"the feed at {self._sensors.url} is of plant {meta.plant}, "
                f"not of {self._plant.name}: correct one of the two settings",
            )
        if not meta.simulated:
            self._check_clock(meta)
        self.simulated = meta.simulated
        self._sources.connected(self._clock.now(), meta.step_seconds, meta.speed, meta.plant_time)
        self._publish_status()

    def _check_clock(self, meta: FeedMeta) -> None:
        """Refuse a real plant whose clock differs too much from this computer's."""
        try:
            self._validator.check_clock(meta.plant_time, self._clock.now())
        except ObservationError as error:
            raise UpstreamError(
                502, f"the clock of the feed at {self._sensors.url}: {error}"
            ) from error

    async def _process(self, name: str, data: str) -> None:
        """Process an event of the feed."""
        if name in ("reading", "scenario"):
            await self._process_reading(data)
        elif name == "rolling":
            self._stride_reached.set()
        elif name == "interval":
            for interval in await self._valid([_content(data)], self._plant.time.cadence):
                await self._arrived(interval)

    async def _process_reading(self, data: str) -> None:
        """Process a reading, or the same reading after a change of the scenario."""
        content, now = _content(data), self._clock.now()
        try:
            live = Live.model_validate(content)
            self._validator.check(live.reading, self._sources.plant_clock(now))
        except (ObservationError, ValidationError) as error:
            self._sources.reading_refused(reason_for(error))
            await self._quarantine_reading(content, reason_for(error))
            return
        self._sources.reading_received(now, live.reading.timestamp)
        self.alarms.add_reading(FeedReading(live.reading, live.ages, live.setpoints))
        self._hub.publish(Event("reading", data))
        self._publish_state()

    async def _arrived(self, interval: Observation) -> None:
        """Store a valid closed interval, and before it the intervals that were missed."""
        assert interval.timestamp is not None
        newest = self._newest
        gap = missing(newest, interval.timestamp, self._plant.time.cadence)
        if gap:
            await self._fill(min(gap + 1, MOST_PULLED))
        await self._store([interval])
        if newest is None or interval.timestamp > newest:
            self._newest = interval.timestamp

    async def _fill(self, wanted: int) -> None:
        """Store the newest intervals of the feed."""
        rows = await self._sensors.get_items("/sensors/intervals", "intervals", n=wanted)
        intervals = await self._valid(rows, self._plant.time.cadence)
        await self._store(intervals)
        starts = [interval.timestamp for interval in intervals if interval.timestamp]
        self._newest = max(starts, default=self._newest)

    async def _valid(self, rows: Sequence[object], grid: timedelta | None) -> list[Observation]:
        """The valid rows. The others are quarantined, each with its reason."""
        clock, valid, invalid = self._sources.plant_clock(self._clock.now()), [], []
        for row in rows:
            try:
                valid.append(self._validator.interval(row, clock, grid))
            except ObservationError as error:
                invalid.append((row, str(error)))
        if invalid:
            await self._quarantine(invalid)
        return valid

    async def _quarantine(self, rows: Sequence[tuple[object, str]]) -> None:
        """Quarantine rows. A row that the feed sends again and again is counted once."""
        now, new_reasons = self._clock.now(), []
        async with self._writing, self._database.begin() as session:
            for content, reason in rows:
                text = written(content)
                before = await quarantine.store(session, self._plant.name, text, reason, now)
                if before is None or before < self._begun:
                    new_reasons.append(reason)
            await quarantine.trim(session, self._plant.name, self._most_quarantined)
        for reason in new_reasons:
            log.warning("a row of the feed is quarantined: %s", reason)
            self.quarantined, self.quarantine_reason = self.quarantined + 1, reason
        self._publish_status()

    async def _quarantine_reading(self, content: object, reason: str) -> None:
        """Count an invalid reading. One every READING_KEPT_EVERY seconds is quarantined."""
        kept_at, now = self._reading_kept_at, self._clock.now()
        if kept_at is None or (now - kept_at).total_seconds() >= READING_KEPT_EVERY:
            await self._quarantine([(content, reason)])
            self._reading_kept_at = now
        else:
            self.quarantined, self.quarantine_reason = self.quarantined + 1, reason

    async def _store(self, intervals: Sequence[Observation]) -> None:
        """Store intervals by their start, and have them assessed.

        Later intervals whose assessment used an older version of them are assessed again.
        """
        now, changed = self._clock.now(), 0
        used_for = (self._plant.lookback - 1) * self._plant.time.cadence
        async with self._writing, self._database.begin() as session:
            for interval in intervals:
                assert interval.timestamp is not None
                row = interval.model_dump(mode="json")
                changed += await plant_history.store(
                    session, self._plant.name, interval.timestamp, row, now, used_for
                )
        self.stored += changed
        for interval in intervals:
            self.alarms.add_interval(interval)
        self.caught_up.clear()
        self._work.set()

    async def _keep_assessing(self, task: Task) -> None:
        """Have every stored interval assessed, newest first."""
        while True:
            self._work.clear()
            start = await self._next_unassessed()
            if start is not None and start not in self._postponed:
                self.caught_up.clear()
            elif self._newest is not None and not self._work.is_set():
                self.caught_up.set()
            if start is not None:
                await self._try_to_assess(start)
                if start not in self._refused:
                    task.progress()
                continue
            self._check_refusals()
            task.progress()
            with task.waiting():
                await self._work.wait()

    def _check_refusals(self) -> None:
        """Raise UpstreamError while inference refuses every one of the newest intervals."""
        if self._newest is None:
            return
        cadence = self._plant.time.cadence
        newest = [self._newest - number * cadence for number in range(REFUSED_IN_A_ROW)]
        if all(start in self._refused for start in newest):
            raise UpstreamError(
                422, f"inference refuses the newest intervals: {self._refused[self._newest]}"
            )

    async def _next_unassessed(self) -> datetime | None:
        """The newest interval without an assessment that inference has not refused.

        Intervals that inference failed on come last.
        """
        name, most = self._plant.name, len(self._refused) + len(self._postponed) + MOST_PULLED
        async with self._database.begin() as session:
            waiting = await plant_history.unassessed(session, name, most)
            if self._assessed_until is None:
                until = self._sources.plant_time
                newest = await plant_history.newest_assessed(session, name, until)
                self._assessed_until = newest and newest + self._plant.time.cadence
        unrefused = [start for start in waiting if start not in self._refused]
        self._unassessed = min(len(unrefused), MOST_PULLED)
        first_tries = [start for start in unrefused if start not in self._postponed]
        return next(iter(first_tries or unrefused), None)

    async def _try_to_assess(self, start: datetime) -> None:
        """Assess an interval.

        A block that inference refuses is left out. One that it fails on is postponed until the
        others are done.
        """
        try:
            await self._assess(start)
            self._postponed.discard(start)
        except UpstreamError as error:
            if error.status in REFUSALS:
                self._refuse(start, error.detail)
                return
            if error.status == 502:
                self._postponed.add(start)
            self._sources.failed(error.detail)
            raise
        except (SQLAlchemyError, OSError):
            raise
        except Exception:
            self._postponed.add(start)
            raise

    def _refuse(self, start: datetime, reason: str) -> None:
        self._refused[start] = reason
        log.error("interval %s is refused: %s", start.isoformat(), reason)

    async def _assess(self, start: datetime) -> None:
        """Have one interval assessed with the rows before it, and store the assessment.

        It is not stored if one of these rows was corrected in the meantime.
        """
        name, cadence = self._plant.name, self._plant.time.cadence
        async with self._database.begin() as session:
            versions, stored = await plant_history.block_until(
                session, name, start, self._plant.lookback
            )
        if not on_grid(start, cadence):
            self._refuse(start, f"{start.isoformat()} is off the grid of this plant")
            return
        rows = block(self._validator, stored, cadence)
        assessment = await self._inference.post(Assessment, "/assess", {"intervals": rows})
        body, now = assessment.model_dump(mode="json"), self._clock.now()
        in_alarm = assessment.in_alarm_now
        async with self._writing, self._database.begin() as session:
            kept = await plant_history.store_assessment(
                session, name, start, body, outputs_of(assessment), in_alarm, now, versions
            )
        if not kept:
            log.info(
                "interval %s or its past was corrected: it is assessed again", start.isoformat()
            )
            return
        self.assessed += 1
        for listener in self._assessed_listeners:
            listener()
        self._sources.answered(assessment)
        published = self._newest_published
        if published is None or start >= published or published > (self._newest or start):
            await self._publish_newest(start)
        self._publish_status()

    async def _publish_newest(self, start: datetime) -> None:
        """Publish the newest assessed interval."""
        self._assessed_until = start + self._plant.time.cadence
        latest = (await self.overview(1)).latest
        if latest is not None:
            self._newest_published, self.latest = latest.interval.timestamp, latest
            self._remove_provisional(latest)
            self._hub.publish(Event("assessment", latest.model_dump_json()))

    async def _keep_assessing_open(self, task: Task) -> None:
        """Have the newest interval that ends at a stride assessed, after all closed intervals."""
        while True:
            with task.waiting():
                await self._stride_reached.wait()
                await self.caught_up.wait()
            self._stride_reached.clear()
            try:
                await self._assess_open()
            except Exception:
                self._stride_reached.set()
                raise
            task.progress()

    async def _assess_open(self) -> None:
        """Publish an assessment of the interval that ends at the newest stride."""
        lookback, cadence = self._plant.lookback, self._plant.time.cadence
        rows = await self._sensors.get_items("/sensors/rolling", "intervals", n=lookback)
        rolling = await self._valid(rows, None)
        start = rolling[-1].timestamp if rolling else None
        if (
            start is None
            or self._newest is None
            or not self._newest < start < self._newest + cadence
        ):
            return
        sent = block(self._validator, [one.model_dump(mode="json") for one in rolling], cadence)
        assessment = await self._inference.post(Assessment, "/assess", {"intervals": sent})
        if start <= (self._newest_published or start - cadence):
            return
        self._since_closed = [
            interval for interval in self._since_closed if self._newest < interval.start < start
        ]
        self._since_closed.append(
            Past(start, sent[-1], outputs_of(assessment), assessment.in_alarm_now)
        )
        closed = await self._past(LEAD_IN)
        active = warnings(self._plant, [*closed, *self._since_closed])[-1]
        self.provisional = PlantAssessment(
            interval=rolling[-1], assessment=assessment, warnings=active
        )
        self._hub.publish(Event("provisional", self.provisional.model_dump_json()))
        self._publish_state()

    def _remove_provisional(self, latest: PlantAssessment) -> None:
        """Remove the provisional assessment once an interval as new as its own is closed."""
        closed, provisional = latest.interval.timestamp, self.provisional
        if provisional is None or closed is None:
            return
        if (provisional.interval.timestamp or closed) <= closed:
            self.provisional = None

    async def _keep_publishing_status(self, task: Task) -> None:
        """Publish changes that come without an event: a source is silent, a task is down."""
        while True:
            self._publish_status()
            task.progress()
            with task.waiting():
                await self._clock.sleep(WATCH_SECONDS)

    async def _keep_asking_inference(self, task: Task) -> None:
        """Ask inference whether its models are available, even when there is nothing to assess."""
        while True:
            await self._ask_inference()
            self._publish_status()
            task.progress()
            with task.waiting():
                await self._clock.sleep(READY_SECONDS)

    async def _ask_inference(self) -> None:
        """Note the state of inference. That it does not answer is a state, not an error."""
        try:
            async with asyncio.timeout(READY_TIMEOUT):
                ready = await self._inference.get(Ready, "/ready", also=(503,))
        except UpstreamError as error:
            self._sources.failed(error.detail)
        except TimeoutError:
            late = f"the {self._inference.title} at {self._inference.url} did not answer /ready"
            self._sources.failed(f"{late} within {READY_TIMEOUT:.0f} s")
        else:
            self._sources.answered(ready)
            self._note_models(_fingerprint(ready))

    def _note_models(self, fingerprint: str) -> None:
        """Retry refused intervals after a change: other models may accept them."""
        if self._models not in (None, fingerprint) and (self._refused or self._postponed):
            log.info(
                "the models changed: %d refused intervals are assessed again", len(self._refused)
            )
            self._refused.clear()
            self._postponed.clear()
            self._work.set()
        self._models = fingerprint

    async def _keep_measuring_drift(self, task: Task) -> None:
        """Measure drift regularly, so that its metrics do not depend on an open page."""
        with task.waiting(), suppress(TimeoutError):
            # A backlog delays the first measurement, but does not prevent it.
            async with asyncio.timeout(DRIFT_SECONDS):
                await self.caught_up.wait()
        while True:
            await self.drift()
            task.progress()
            with task.waiting():
                await self._clock.sleep(DRIFT_SECONDS)

    def _publish_status(self) -> None:
        """Publish the status where it changed."""
        status, published = self.status(), self._published_status
        if published is None or _essence(status) != _essence(published):
            self._published_status = status
            self._hub.publish(Event("status", status.model_dump_json()))
        self._publish_state()

    def _publish_state(self) -> None:
        """Publish the alarm state where it changed, and have it stored."""
        state = self.state()
        if state != self._published_state:
            self._published_state = state
            self._hub.publish(Event("state", state.model_dump_json()))
        if self.alarms.changed:
            self._alarms_changed.set()

    def _warned(self) -> Warned:
        """The warnings after the newest assessment, the provisional one included."""
        return warned(self._plant, self.provisional or self.latest, self._sources.plant_time)

    async def _resume_alarms(self) -> None:
        """Evaluate limits on everything since the last reading that was evaluated."""
        if not self._alarms_restored:
            async with self._database.begin() as session:
                active = self.alarms.restore(await limit_alarms.states(session, self._plant.name))
                await limit_alarms.end_others(session, self._plant.name, active)
            self._alarms_restored = True
        if self.latest is None:
            self.latest = (await self.overview(1)).latest
        past = await self._past(LEAD_IN)
        self.alarms.resume(past, await self._recent_readings())

    async def _recent_readings(self) -> list[FeedReading]:
        """The readings that the feed still has, oldest first; none where it keeps none."""
        try:
            history = await self._sensors.get_mapping("/sensors/history", n=KEPT_READINGS)
        except UpstreamError as error:
            log.warning("the last readings of the feed are not available: %s", error.detail)
            return []
        clock = self._sources.plant_clock(self._clock.now())
        valid, reasons = self._validator.readings(history, clock)
        for reason in reasons:
            self.quarantined, self.quarantine_reason = self.quarantined + 1, reason
        return [FeedReading(*parts) for parts in valid]

    async def _keep_alarms_stored(self, task: Task) -> None:
        """Store episodes and states of limit alarms. What could not be stored is stored later."""
        while True:
            with task.waiting():
                await self._alarms_changed.wait()
            self._alarms_changed.clear()
            changes = self.alarms.take_changes()
            try:
                async with self._database.begin() as session:
                    await limit_alarms.keep(
                        session, self._plant.name, changes.episodes, changes.states
                    )
            except BaseException:
                self.alarms.put_back(changes)
                self._alarms_changed.set()
                raise
            task.progress()


def _essence(status: FeedStatus) -> tuple[object, ...]:
    """What a viewer would notice: everything but clocks and ages."""
    down = tuple((task.name, task.state, task.reason) for task in status.down)
    counts = status.quarantined, status.refused
    return (
        status.feed,
        status.inference,
        status.inference_reason,
        status.assessed_until,
        down,
        counts,
    )


def _content(data: str) -> object:
    """The content of an event. Text that is not JSON is returned as it is: no check accepts it."""
    try:
        return parsed(data)
    except ObservationError:
        return data


def _fingerprint(ready: Ready) -> str:
    """Changes whenever inference may answer differently: its own fingerprint and all versions."""
    versions = sorted(f"{model.name} {model.version} {model.status}" for model in ready.models)
    return "; ".join([ready.fingerprint, *versions])


__all__ = ["READY_SECONDS", "RECALIBRATED", "WATCH_SECONDS", "Monitor"]
