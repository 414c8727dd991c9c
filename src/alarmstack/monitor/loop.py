"""The live loop, as six tasks that `Tasks.keep_running` restarts after every error.

`feed` stores the intervals that the feed closes, `assessments` has them assessed, `provisional` has the
open interval assessed where the plant's stride is shorter than its cadence, `inference` asks whether
the models are available, `status` publishes how all of this goes, and `drift` looks for drift.

Every interval the feed has is stored by its start, once; everything stored is assessed, newest first. What a task needs after a
restart is in the database, so an error at any point loses nothing. A provisional assessment is published, stored nowhere, and
removed once the next interval is closed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime

from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from alarmstack.clock import Clock
from alarmstack.db import Database, journal, limit_alarms, plant_history
from alarmstack.db.plant_history import Past
from alarmstack.errors import UpstreamError
from alarmstack.monitor.alarm_state import AlarmState, Heard, Warned
from alarmstack.monitor.hub import Event, Hub
from alarmstack.monitor.listening import events
from alarmstack.monitor.living import WINDOWS, Recalibration, compare, drift
from alarmstack.monitor.overview import Seen, overview
from alarmstack.monitor.plan import MOST_PULLED, block, missing
from alarmstack.monitor.status import Sources
from alarmstack.monitor.upstream import Upstream
from alarmstack.monitor.warning import LEAD_IN, said, warned, warnings
from alarmstack.plant import Plant
from alarmstack.tasks import Task, Tasks, reason_of
from alarmstack.wire.observations import Observation
from alarmstack.wire.scoring import Assessment, Ready, References, TaskState
from alarmstack.wire.screen import Comparison, Drift, FeedStatus, PlantAssessment, PlantState
from alarmstack.wire.sensing import KEPT_READINGS, FeedMeta, Intervals, Live, Readings

WATCH_SECONDS = 2.0
"""How often the status is published where it changed."""
READY_SECONDS = 10.0
"""How often inference is asked whether its models are available."""
READY_TIMEOUT = 5.0
"""How long inference may take to answer that; it answers from memory."""
DRIFT_SECONDS = 60.0
"""How often drift is looked for."""
DRIFT_STALLS_AFTER = 600.0
"""Seconds that one look for drift may take: it reads weeks of the past."""
REFUSALS = (400, 413, 422)
"""Statuses with which inference refuses a block for what is in it."""
STALL_SILENCES = 2
"""The feed is connected anew after so many times the silence that makes it stale."""
RECALIBRATED = "recalibrated"
"""Action of the journal's lines that tell of a recalibration."""
log = logging.getLogger(__name__)


class Monitor:
    """Feed → stored intervals → assessments and warnings → hub. `run` it once; it ends when cancelled."""

    def __init__(
        self,
        plant: Plant,
        database: Database,
        sensors: Upstream,
        inference: Upstream,
        hub: Hub,
        clock: Clock,
        tasks: Tasks,
    ) -> None:
        self._plant, self._database = plant, database
        self._sensors, self._inference = sensors, inference
        self._hub, self._clock, self._tasks = hub, clock, tasks
        self._sources = Sources()
        tasks.on_change(self._tell_status)
        self._shown: FeedStatus | None = None
        self._newest: datetime | None = None
        self._told: datetime | None = None
        self._refused: dict[datetime, str] = {}
        self._postponed: set[datetime] = set()
        self._work = asyncio.Event()
        self.caught_up = asyncio.Event()
        """Set while everything that the feed has told of since the start is assessed."""
        self.simulated = False
        self.drifted: Drift | None = None
        """What was found when drift was last looked for."""
        self.latest: PlantAssessment | None = None
        """The newest interval with what was said of it and the warnings after it."""
        self.provisional: PlantAssessment | None = None
        """What is said of the interval that ends now, until the next one is closed."""
        self.alarms = AlarmState(plant)
        """Every limit rule on the newest readings."""
        self._alarms_changed = asyncio.Event()
        self._alarms_restored = False
        self._shown_state: PlantState | None = None
        self._rolled = asyncio.Event()
        self._since_closed: list[Past] = []
        self.stored = 0
        self.assessed = 0

    def status(self) -> FeedStatus:
        """How the sources and the tasks are now."""
        view = self._sources.view(self._clock.now())
        return view.model_copy(update={"down": [TaskState(**one._asdict()) for one in self._tasks.down]})

    def state(self) -> PlantState:
        """Whether the plant is in alarm, and which warnings are active."""
        return self.alarms.view(self.status(), self._warned())

    def feed_age(self) -> float | None:
        """Wall seconds since the feed was last heard; None before the first time."""
        return self._sources.age(self._clock.now())

    async def run(self) -> None:
        """Listen, assess and watch until cancelled. No error of a task ends it or another one."""
        keep = self._tasks.keep_running
        async with asyncio.TaskGroup() as group:
            group.create_task(keep("feed", self._keep_listening))
            group.create_task(keep("assessments", self._keep_assessing))
            group.create_task(keep("provisional", self._keep_speaking_between))
            group.create_task(keep("inference", self._keep_asking_inference))
            group.create_task(keep("status", self._keep_watching))
            group.create_task(keep("alarm journal", self._keep_alarms_stored))
            drift = keep("drift", self._keep_looking_for_drift, stalls_after=DRIFT_STALLS_AFTER)
            group.create_task(drift)

    async def overview(self, intervals: int) -> Seen:
        """The newest assessed intervals that the feed's clock has passed, with the warnings after each."""
        async with self._database.begin() as session:
            return await overview(session, self._plant, self._sources.plant_time, intervals)

    async def drift(self) -> Drift:
        """How far the plant has drifted from what the models learnt. Raises UpstreamError while inference is away."""
        references = await self._inference.get(References, "/reference")
        past = await self._past(WINDOWS * self._plant.rows(self._plant.drift.window))
        async with self._database.begin() as session:
            lines = await journal.of(session, RECALIBRATED)
        resets = {
            line.value["key"]: Recalibration(line.value["key"], line.plant_time, line.user, line.reason)
            for line in lines
            if line.plant_time is not None and line.value["plant"] == self._plant.name
        }
        self.drifted = await asyncio.to_thread(drift, self._plant, past, references, resets)
        return self.drifted

    async def comparison(self) -> Comparison:
        """Champions beside their challengers."""
        past = await self._past(WINDOWS * self._plant.rows(self._plant.drift.window))
        return await asyncio.to_thread(compare, self._plant, past)

    async def window(self) -> list[Observation]:
        """The newest closed intervals as they are sent to be assessed, oldest first: what any forecast of now rests on."""
        past = await self._past(self._plant.lookback)
        return [Observation.model_validate(row) for row in block([one.row for one in past])]

    async def _past(self, most: int) -> Sequence[Past]:
        """The newest intervals that the feed's clock has passed."""
        async with self._database.begin() as session:
            return await plant_history.past(session, self._plant.name, None, self._sources.plant_time, most)

    async def _keep_listening(self, task: Task) -> None:
        """Store what the feed closes. A connection that ends is an error: the next one begins with what was missed."""
        try:
            await self._connect()
            task.stalls_after = STALL_SILENCES * self._sources.silence
            async with self._sensors.lines("/sensors/stream") as lines:
                await self._fill(MOST_PULLED)
                await self._resume_alarms()
                self._note_progress(task)
                async for event in events(lines):
                    await self._hear(event)
                    self._note_progress(task)
            raise UpstreamError(503, f"the {self._sensors.title} closed its stream")
        except Exception as error:
            self._sources.lost(reason_of(error))
            raise

    def _note_progress(self, task: Task) -> None:
        """A feed that is connected and silent makes no progress."""
        if self._sources.live(self._clock.now()):
            task.progress()

    async def _connect(self) -> None:
        meta = await self._sensors.get(FeedMeta, "/sensors/meta")
        if meta.plant != self._plant.name:
            raise UpstreamError(
                502, f"the feed at {self._sensors.url} plays {meta.plant}, not {self._plant.name}: mend one of them"
            )
        self.simulated = meta.simulated
        self._sources.connected(self._clock.now(), meta.step_seconds, meta.speed, meta.plant_time)
        self._tell_status()

    async def _hear(self, event: Event) -> None:
        """An event of the feed."""
        try:
            if event.name in ("reading", "scenario"):
                live = Live.model_validate_json(event.data)
                self._sources.heard(self._clock.now(), live.reading.timestamp)
                self.alarms.heard(Heard(live.reading, live.ages, live.setpoints))
                self._hub.publish(Event("reading", event.data))
                self._tell_state()
            elif event.name == "rolling":
                self._rolled.set()
            elif event.name == "interval":
                await self._arrived(Observation.model_validate_json(event.data))
        except ValidationError as error:
            log.warning("the feed's %s makes no sense: %s", event.name, str(error).splitlines()[0])

    async def _arrived(self, interval: Observation) -> None:
        """A closed interval: first whatever was missed before it, then itself."""
        if interval.timestamp is None:
            return
        lost = missing(self._newest, interval.timestamp, self._plant.time.cadence)
        if lost:
            await self._fill(min(lost + 1, MOST_PULLED))
        await self._store([interval])

    async def _fill(self, wanted: int) -> None:
        pulled = await self._sensors.get(Intervals, "/sensors/intervals", n=wanted)
        await self._store(pulled.intervals)

    async def _store(self, intervals: Sequence[Observation]) -> None:
        """Keep intervals by their start, and have them assessed."""
        now, dated = self._clock.now(), [(one.timestamp, one) for one in intervals if one.timestamp is not None]
        changed = 0
        async with self._database.begin() as session:
            for start, interval in dated:
                row = interval.model_dump(mode="json")
                changed += await plant_history.store(session, self._plant.name, start, row, now)
        self.stored += changed
        for _, interval in dated:
            self.alarms.closed(interval)
        self._newest = dated[-1][0] if dated else self._newest
        self.caught_up.clear()
        self._work.set()

    async def _keep_assessing(self, task: Task) -> None:
        """Have every stored interval assessed, newest first."""
        while True:
            self._work.clear()
            start = await self._next()
            if start is not None:
                self.caught_up.clear()
                await self._try_to_assess(start)
                task.progress()
                continue
            task.progress()
            if self._newest is not None and not self._work.is_set():
                self.caught_up.set()
            with task.waiting():
                await self._work.wait()

    async def _next(self) -> datetime | None:
        """The newest interval without an assessment that inference has not refused; those that failed before come last."""
        passed_over = len(self._refused) + len(self._postponed)
        async with self._database.begin() as session:
            waiting = await plant_history.unassessed(session, self._plant.name, passed_over + 1)
        open_ = [start for start in waiting if start not in self._refused]
        return next((start for start in open_ if start not in self._postponed), next(iter(open_), None))

    async def _try_to_assess(self, start: datetime) -> None:
        """Assess an interval. A block that inference refuses is left out; one that it fails on waits until the others are done."""
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
        """Have one interval assessed with the rows before it, keep what was said, and tell it where nothing newer was told."""
        async with self._database.begin() as session:
            rows = await plant_history.rows_until(session, self._plant.name, start, self._plant.lookback)
        assessment = await self._inference.post(Assessment, "/assess", {"intervals": block(rows)})
        body, now = assessment.model_dump(mode="json"), self._clock.now()
        async with self._database.begin() as session:
            await plant_history.store_assessment(
                session, self._plant.name, start, body, said(assessment), assessment.in_alarm_now, now
            )
        self.assessed += 1
        self._sources.answered(assessment)
        self._tell_status()
        if self._told is None or start > self._told or self._told > (self._newest or start):
            told = (await self.overview(1)).latest
            if told is not None:
                self._told, self.latest = told.interval.timestamp, told
                self._forget_provisional(told)
                self._hub.publish(Event("assessment", told.model_dump_json()))

    async def _keep_speaking_between(self, task: Task) -> None:
        """Have the intervals that end at a stride assessed; the newest alone counts, and closed intervals come first."""
        while True:
            with task.waiting():
                await self._rolled.wait()
                await self.caught_up.wait()
            self._rolled.clear()
            try:
                await self._speak_between()
            except Exception:
                self._rolled.set()
                raise
            task.progress()

    async def _speak_between(self) -> None:
        rolling = (await self._sensors.get(Intervals, "/sensors/rolling", n=self._plant.lookback)).intervals
        start = rolling[-1].timestamp if rolling else None
        if start is None or self._newest is None or not self._newest < start < self._newest + self._plant.time.cadence:
            return
        rows = block([one.model_dump(mode="json") for one in rolling])
        assessment = await self._inference.post(Assessment, "/assess", {"intervals": rows})
        if start <= (self._told or start - self._plant.time.cadence):
            return
        self._since_closed = [one for one in self._since_closed if self._newest < one.start < start]
        self._since_closed.append(Past(start, rows[-1], said(assessment), assessment.in_alarm_now))
        closed = await self._past(LEAD_IN)
        standing = warnings(self._plant, [*closed, *self._since_closed])[-1]
        self.provisional = PlantAssessment(interval=rolling[-1], assessment=assessment, warnings=standing)
        self._hub.publish(Event("provisional", self.provisional.model_dump_json()))

    def _forget_provisional(self, told: PlantAssessment) -> None:
        """What was said before an interval was closed gives way to what is said of it."""
        closed, open_ = told.interval.timestamp, self.provisional
        if open_ is not None and closed is not None and (open_.interval.timestamp or closed) <= closed:
            self.provisional = None

    async def _keep_watching(self, task: Task) -> None:
        """Publish the status where something changed without an event: a source fell silent, a task is down."""
        while True:
            self._tell_status()
            task.progress()
            with task.waiting():
                await self._clock.sleep(WATCH_SECONDS)

    async def _keep_asking_inference(self, task: Task) -> None:
        """Ask inference whether its models are available, also while there is nothing to assess."""
        while True:
            await self._ask_inference()
            self._tell_status()
            task.progress()
            with task.waiting():
                await self._clock.sleep(READY_SECONDS)

    async def _ask_inference(self) -> None:
        """Note how inference is. That it is away is an answer, not an error."""
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

    async def _keep_looking_for_drift(self, task: Task) -> None:
        """Look now and then, so that the metrics are there without anybody on the page."""
        with task.waiting():
            await self.caught_up.wait()
        while True:
            await self.drift()
            task.progress()
            with task.waiting():
                await self._clock.sleep(DRIFT_SECONDS)

    def _tell_status(self) -> None:
        """Publish the status where it says something new."""
        status = self.status()
        if self._shown is None or _essence(status) != _essence(self._shown):
            self._shown = status
            self._hub.publish(Event("status", status.model_dump_json()))
        self._tell_state()

    def _tell_state(self) -> None:
        """Publish the alarm state where it changed, and have it stored."""
        state = self.state()
        if state != self._shown_state:
            self._shown_state = state
            self._hub.publish(Event("state", state.model_dump_json()))
        if self.alarms.changed:
            self._alarms_changed.set()

    def _warned(self) -> Warned:
        """The warnings after the newest assessment, the provisional one included."""
        return warned(self._plant, self.provisional or self.latest, self._sources.plant_time)

    async def _resume_alarms(self) -> None:
        """Evaluate limits on what the feed still has of the time since the last reading that was looked at."""
        if not self._alarms_restored:
            async with self._database.begin() as session:
                active = self.alarms.restore(await limit_alarms.states(session, self._plant.name))
                await limit_alarms.end_others(session, self._plant.name, active)
            self._alarms_restored = True
        if self.latest is None:
            self.latest = (await self.overview(1)).latest
        past = await self._past(LEAD_IN)
        self.alarms.resume(past, await self._lately())
        self._tell_state()

    async def _lately(self) -> list[Heard]:
        """The readings that the feed still has, oldest first; none where it keeps none."""
        try:
            lately = await self._sensors.get(Readings, "/sensors/history", n=KEPT_READINGS)
        except UpstreamError as error:
            log.warning("the feed's last readings cannot be had: %s", error.detail)
            return []
        many = len(lately.readings)
        ages = lately.ages if len(lately.ages) == many else [{}] * many
        setpoints = lately.setpoints if len(lately.setpoints) == many else [{}] * many
        return [Heard(*one) for one in zip(lately.readings, ages, setpoints, strict=True)]

    async def _keep_alarms_stored(self, task: Task) -> None:
        """Write episodes and states of limit alarms; what could not be written is written again."""
        while True:
            with task.waiting():
                await self._alarms_changed.wait()
            self._alarms_changed.clear()
            changes = self.alarms.take_changes()
            try:
                async with self._database.begin() as session:
                    await limit_alarms.keep(session, self._plant.name, changes.episodes, changes.states)
            except BaseException:
                self.alarms.put_back(changes)
                self._alarms_changed.set()
                raise
            task.progress()


def _essence(status: FeedStatus) -> tuple[object, ...]:
    """What a viewer would notice; clocks and counted seconds aside."""
    down = tuple((one.name, one.state) for one in status.down)
    return status.feed, status.inference, status.inference_reason, down


__all__ = ["READY_SECONDS", "RECALIBRATED", "WATCH_SECONDS", "Monitor"]
