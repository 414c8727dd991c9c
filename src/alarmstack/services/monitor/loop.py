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
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from alarmstack.core.clock import Clock
from alarmstack.core.errors import ObservationError, UpstreamError
from alarmstack.core.plant import Plant
from alarmstack.core.tasks import Task, Tasks, reason_of
from alarmstack.services.monitor.alarm_state import AlarmState, Heard, Warned
from alarmstack.services.monitor.heavy_reads import HeavyReads, find_comparison, find_drift
from alarmstack.services.monitor.hub import Event, Hub
from alarmstack.services.monitor.listening import events
from alarmstack.services.monitor.living import Recalibration
from alarmstack.services.monitor.overview import Seen, overview
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
from alarmstack.services.monitor.warning import LEAD_IN, said, warned, warnings
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
DRIFT_SECONDS = 60.0
"""How often drift is looked for."""
DRIFT_STALLS_AFTER = 600.0
"""Seconds that one look for drift may take: it reads weeks of the past."""
REFUSALS = (400, 413, 422)
"""Statuses with which inference refuses a block for what is in it."""
READING_KEPT_EVERY = 10.0
"""Seconds between two readings of which the content is quarantined."""
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
        tasks.on_change(self._tell_status)
        self._shown: FeedStatus | None = None
        self._newest: datetime | None = None
        self._told: datetime | None = None
        self._refused: dict[datetime, str] = {}
        self._postponed: set[datetime] = set()
        self._models: str | None = None
        self._writing = asyncio.Lock()
        """Held while intervals or assessments are written, so that neither is stored beside an older version of the other."""
        self._assessed_until: datetime | None = None
        self._unassessed = 0
        self._reading_kept_at: datetime | None = None
        self.quarantined = 0
        """Rows of the feed that were set aside since the start."""
        self.quarantine_reason: str | None = None
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
        self._assessed_listeners: list[Callable[[], None]] = []

    def status(self) -> FeedStatus:
        """How the sources and the tasks are now."""
        seen = {
            "assessed_until": self._assessed_until,
            "unassessed": self._unassessed,
            "down": [TaskState(**one._asdict()) for one in self._tasks.down],
            "quarantined": self.quarantined,
            "quarantine_reason": self.quarantine_reason,
            "refused": len(self._refused),
            "refused_reason": next(reversed(self._refused.values()), None),
        }
        return self._sources.view(self._clock.now()).model_copy(update=seen)

    def state(self) -> PlantState:
        """Whether the plant is in alarm, and which warnings are active."""
        return self.alarms.view(self.status(), self._warned())

    def on_assessed(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each assessment that was stored."""
        self._assessed_listeners.append(listener)

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
        async with self._database.begin() as session:
            lines = await journal.of(session, RECALIBRATED)
        resets = {
            line.value["key"]: Recalibration(
                line.value["key"], line.plant_time, line.user, line.reason
            )
            for line in lines
            if line.plant_time is not None and line.value["plant"] == self._plant.name
        }
        learnt = tuple((one.name, one.version) for one in references.models)
        key = ("drift", learnt, tuple(sorted(resets.items())), self.stored, self.assessed)
        until = self._sources.plant_time
        self.drifted = await self._reader.read(
            key, find_drift, self._url, self._plant, until, references, resets, refusable=False
        )
        return self.drifted

    async def comparison(self) -> Comparison:
        """Champions beside their challengers."""
        key, until = ("comparison", self.stored, self.assessed), self._sources.plant_time
        return await self._reader.read(
            key, find_comparison, self._url, self._plant, until, refusable=False
        )

    async def window(self, until: datetime | None = None) -> list[Observation]:
        """The newest closed intervals as they are sent to be assessed, oldest first: what any forecast of now rests on.

        `until`: those that a forecast of that instant rested on.
        """
        past = await self._past(self._plant.lookback, until)
        rows = block(self._validator, [one.row for one in past], self._plant.time.cadence)
        return [Observation.model_validate(row) for row in rows]

    async def _past(self, most: int, until: datetime | None = None) -> Sequence[Past]:
        """The newest intervals that the feed's clock, or `until`, has passed."""
        end = self._sources.plant_time if until is None else until
        async with self._database.begin() as session:
            return await plant_history.past(session, self._plant.name, None, end, most)

    async def _keep_listening(self, task: Task) -> None:
        """Store what the feed closes. A connection that ends is an error: the next one begins with what was missed."""
        try:
            await self._connect()
            task.stalls_after = STALL_SILENCES * self._sources.silence
            async with self._sensors.lines("/sensors/stream") as lines:
                await self._fill(MOST_PULLED)
                await self._resume_alarms()
                self._sources.caught_up()
                self._tell_status()
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
                502,
                f"the feed at {self._sensors.url} plays {meta.plant}, not {self._plant.name}: correct one of them",
            )
        if not meta.simulated:
            self._check_clock(meta)
        self.simulated = meta.simulated
        self._sources.connected(self._clock.now(), meta.step_seconds, meta.speed, meta.plant_time)
        self._tell_status()

    def _check_clock(self, meta: FeedMeta) -> None:
        """The clock of a real plant shows about the same time as this computer's."""
        try:
            self._validator.check_clock(meta.plant_time, self._clock.now())
        except ObservationError as error:
            raise UpstreamError(
                502, f"the clock of the feed at {self._sensors.url}: {error}"
            ) from error

    async def _hear(self, event: Event) -> None:
        """An event of the feed."""
        if event.name in ("reading", "scenario"):
            await self._read(event)
        elif event.name == "rolling":
            self._rolled.set()
        elif event.name == "interval":
            for interval in await self._valid([_content(event.data)], self._plant.time.cadence):
                await self._arrived(interval)

    async def _read(self, event: Event) -> None:
        """A reading, or the same with another scenario: the plant's clock runs."""
        content, now = _content(event.data), self._clock.now()
        try:
            live = Live.model_validate(content)
            self._validator.check(live.reading, self._sources.plant_clock(now))
        except (ObservationError, ValidationError) as error:
            await self._set_reading_aside(content, reason_for(error))
            return
        self._sources.heard(now, live.reading.timestamp)
        self.alarms.heard(Heard(live.reading, live.ages, live.setpoints))
        self._hub.publish(Event("reading", event.data))
        self._tell_state()

    async def _arrived(self, interval: Observation) -> None:
        """A valid closed interval: first whatever was missed before it, then itself."""
        assert interval.timestamp is not None
        newest = self._newest
        lost = missing(newest, interval.timestamp, self._plant.time.cadence)
        if lost:
            await self._fill(min(lost + 1, MOST_PULLED))
        await self._store([interval])
        if newest is None or interval.timestamp > newest:
            self._newest = interval.timestamp

    async def _fill(self, wanted: int) -> None:
        """Store the newest intervals that the feed has."""
        rows = await self._sensors.get_items("/sensors/intervals", "intervals", n=wanted)
        intervals = await self._valid(rows, self._plant.time.cadence)
        await self._store(intervals)
        self._newest = max(
            (one.timestamp for one in intervals if one.timestamp), default=self._newest
        )

    async def _valid(self, rows: Sequence[object], grid: timedelta | None) -> list[Observation]:
        """The rows that are valid. The others are set aside, each with its reason."""
        clock, valid, aside = self._sources.plant_clock(self._clock.now()), [], []
        for row in rows:
            try:
                valid.append(self._validator.interval(row, clock, grid))
            except ObservationError as error:
                aside.append((row, str(error)))
        if aside:
            await self._set_aside(aside)
        return valid

    async def _set_aside(self, rows: Sequence[tuple[object, str]]) -> None:
        """Quarantine rows. One that comes again with every answer of the feed is counted once."""
        now, new = self._clock.now(), []
        async with self._writing, self._database.begin() as session:
            for content, reason in rows:
                text = written(content)
                before = await quarantine.store(session, self._plant.name, text, reason, now)
                new += [reason] if before is None or before < self._begun else []
            await quarantine.trim(session, self._plant.name, self._most_quarantined)
        for reason in new:
            log.warning("a row of the feed is set aside: %s", reason)
            self.quarantined, self.quarantine_reason = self.quarantined + 1, reason
        self._tell_status()

    async def _set_reading_aside(self, content: object, reason: str) -> None:
        """Count a reading that is not valid. Several come in a second: one in a while is kept."""
        kept_at, now = self._reading_kept_at, self._clock.now()
        if kept_at is None or (now - kept_at).total_seconds() >= READING_KEPT_EVERY:
            await self._set_aside([(content, reason)])
            self._reading_kept_at = now
        else:
            self.quarantined, self.quarantine_reason = self.quarantined + 1, reason

    async def _store(self, intervals: Sequence[Observation]) -> None:
        """Keep intervals by their start, and have them assessed, with those that were assessed with an older version of them."""
        now, changed = self._clock.now(), 0
        seen_for = (self._plant.lookback - 1) * self._plant.time.cadence
        async with self._writing, self._database.begin() as session:
            for interval in intervals:
                assert interval.timestamp is not None
                row = interval.model_dump(mode="json")
                changed += await plant_history.store(
                    session, self._plant.name, interval.timestamp, row, now, seen_for
                )
        self.stored += changed
        for interval in intervals:
            self.alarms.closed(interval)
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
        name, most = self._plant.name, len(self._refused) + len(self._postponed) + MOST_PULLED
        async with self._database.begin() as session:
            waiting = await plant_history.unassessed(session, name, most)
            if self._assessed_until is None:
                until = self._sources.plant_time
                newest = await plant_history.newest_assessed(session, name, until)
                self._assessed_until = newest and newest + self._plant.time.cadence
        open_ = [start for start in waiting if start not in self._refused]
        self._unassessed = min(len(open_), MOST_PULLED)
        return next(
            (start for start in open_ if start not in self._postponed), next(iter(open_), None)
        )

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
        """Have one interval assessed with the rows before it, and store the answer if these rows are still the newest ones."""
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
                session, name, start, body, said(assessment), in_alarm, now, versions
            )
        if not kept:
            log.info(
                "interval %s or its past was corrected meanwhile: assessed again", start.isoformat()
            )
            return
        self.assessed += 1
        for listener in self._assessed_listeners:
            listener()
        self._sources.answered(assessment)
        if self._told is None or start >= self._told or self._told > (self._newest or start):
            await self._tell_newest(start)
        self._tell_status()

    async def _tell_newest(self, start: datetime) -> None:
        """Publish the newest assessed interval."""
        self._assessed_until = start + self._plant.time.cadence
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
        if start <= (self._told or start - cadence):
            return
        self._since_closed = [one for one in self._since_closed if self._newest < one.start < start]
        self._since_closed.append(Past(start, sent[-1], said(assessment), assessment.in_alarm_now))
        closed = await self._past(LEAD_IN)
        standing = warnings(self._plant, [*closed, *self._since_closed])[-1]
        self.provisional = PlantAssessment(
            interval=rolling[-1], assessment=assessment, warnings=standing
        )
        self._hub.publish(Event("provisional", self.provisional.model_dump_json()))
        self._tell_state()

    def _forget_provisional(self, told: PlantAssessment) -> None:
        """What was said before an interval was closed gives way to what is said of it."""
        closed, open_ = told.interval.timestamp, self.provisional
        if (
            open_ is not None
            and closed is not None
            and (open_.interval.timestamp or closed) <= closed
        ):
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
            self._note_models(_fingerprint(ready))

    def _note_models(self, fingerprint: str) -> None:
        """Other models, or another version of inference, may take what was refused."""
        if self._models not in (None, fingerprint) and (self._refused or self._postponed):
            log.info(
                "the models changed: %d refused intervals are assessed again", len(self._refused)
            )
            self._refused.clear()
            self._postponed.clear()
            self._work.set()
        self._models = fingerprint

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

    async def _lately(self) -> list[Heard]:
        """The readings that the feed still has, oldest first; none where it keeps none."""
        try:
            lately = await self._sensors.get_mapping("/sensors/history", n=KEPT_READINGS)
        except UpstreamError as error:
            log.warning("the feed's last readings cannot be had: %s", error.detail)
            return []
        clock = self._sources.plant_clock(self._clock.now())
        valid, reasons = self._validator.readings(lately, clock)
        for reason in reasons:
            self.quarantined, self.quarantine_reason = self.quarantined + 1, reason
        return [Heard(*one) for one in valid]

    async def _keep_alarms_stored(self, task: Task) -> None:
        """Write episodes and states of limit alarms; what could not be written is written again."""
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
    """What a viewer would notice; clocks and counted seconds aside."""
    down = tuple((one.name, one.state, one.reason) for one in status.down)
    counted = status.quarantined, status.refused
    return (
        status.feed,
        status.inference,
        status.inference_reason,
        status.assessed_until,
        down,
        counted,
    )


def _content(data: str) -> object:
    """The content of an event; a text that is not JSON is the content itself, which no check takes for a row."""
    try:
        return parsed(data)
    except ObservationError:
        return data


def _fingerprint(ready: Ready) -> str:
    """What changes whenever inference may answer otherwise: its own word for it, or the versions of its models."""
    versions = sorted(f"{one.name} {one.version} {one.status}" for one in ready.models)
    return "; ".join([ready.fingerprint, *versions])


__all__ = ["READY_SECONDS", "RECALIBRATED", "WATCH_SECONDS", "Monitor"]
