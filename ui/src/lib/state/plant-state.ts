import type {
  Driver,
  FeedStatus,
  LimitAlarm,
  PlantAssessment,
  PlantModel,
  PlantState,
  PlantView,
  WarningState,
} from '../api/types';
import { figure, percent, plain, unitOf, words } from './format';
import type { PlantTime } from './plant-time';
import { beside, foretold, withinOf } from './wording';

/** The plant in one line, and the reason in a sentence. `priority`: 1 is the most urgent. */
export type Headline = {
  kind: 'alarm' | 'warning' | 'normal' | 'unknown';
  priority: number | null;
  title: string;
  /** The probability behind a warning, as text beside the title. */
  beside: string;
  detail: string;
  /** Milliseconds. */
  since: number | null;
};

export type Sight = {
  plant: PlantView;
  time: PlantTime;
  state: PlantState | null;
  status: FeedStatus | null;
  latest: PlantAssessment | null;
  plantNow: number | null;
  blind: string | null;
};

/** Intervals without a new assessment after which the last one says nothing of now. */
const OLD_AFTER_INTERVALS = 3;
/** The same where the server says what keeps it from assessing. */
const OLD_WITH_CAUSE_INTERVALS = 1;

/** What the headline says: the server's one state of the plant, or why it is not known. */
export function headline(sight: Sight): Headline {
  const { state, blind } = sight;
  if (blind) return unknown(blind);
  if (!state) return unknown('No reading has been received yet.');
  if (state.in_alarm) return alarm(sight, state);
  const gap = assessmentGap(sight) ?? state.warnings_reason;
  if (gap) return { ...unknown(`${limitsText(sight)} ${gap}`), title: 'No current forecast' };
  const warned = nearest(state.warnings);
  return warned ? warning(sight, warned) : normal(sight);
}

/** Why the last assessment says nothing of now; null while it does. */
export function assessmentGap({ plant, time, status, latest, plantNow }: Sight): string | null {
  const until = later(status?.assessed_until, latest?.assessment.known_at);
  const cause = causeOf(status);
  if (!until) return cause ? `No assessment: ${cause}` : 'No interval has been assessed yet.';
  const age = plantNow === null ? 0 : (plantNow - Date.parse(until)) / 1000;
  const allowed = cause ? OLD_WITH_CAUSE_INTERVALS : OLD_AFTER_INTERVALS;
  if (age <= allowed * plant.cadence_seconds) return null;
  const since =
    time.date(until) === time.date(plantNow ?? until) ? time.clock(until) : time.short(until);
  return `No assessment since ${since}${cause ? `: ${cause}` : '.'}`;
}

/** The later of two instants: status and assessments are events of their own, and either may come first. */
function later(one: string | null | undefined, other: string | null | undefined): string | null {
  if (!one || !other) return one ?? other ?? null;
  return Date.parse(one) > Date.parse(other) ? one : other;
}

/** What keeps the server from assessing: a task that is down, or models that do not answer. */
function causeOf(status: FeedStatus | null): string | null {
  const task = status?.down.find((one) => one.reason);
  if (task?.reason) return task.reason;
  return status?.inference === 'down'
    ? (status.inference_reason ?? 'the models do not answer')
    : null;
}

/** The active limit alarm of an instrument. */
export function limitOf(state: PlantState | null, key: string): LimitAlarm | undefined {
  return state?.limits.find((one) => one.key === key);
}

/** What heads a model's figure; a column that the plant no longer has, as words. */
export function labelOf(plant: PlantView, column: string): string {
  return plant.models.find((one) => one.column === column)?.label ?? words(column);
}

function unknown(detail: string): Headline {
  return {
    kind: 'unknown',
    priority: null,
    title: 'State unknown',
    beside: '',
    detail,
    since: null,
  };
}

/** An alarm outlasts its cause by the off-delay; the screen says so. */
function returning({ returning_since }: LimitAlarm, time: PlantTime): string {
  return returning_since ? ` (back within the limit since ${time.clock(returning_since)})` : '';
}

function alarm({ plant, time }: Sight, state: PlantState): Headline {
  const titles = state.limits.map((one) => one.title);
  return {
    kind: 'alarm',
    priority: 1,
    title: titles.length ? `In alarm: ${titles.join(', ')}` : 'In alarm',
    beside: '',
    detail: state.limits
      .map((one) => `${limitText(plant, one)}${returning(one, time)}`)
      .join(' · '),
    since: state.since ? Date.parse(state.since) : null,
  };
}

function warning(sight: Sight, warned: WarningState): Headline {
  const { plant, latest } = sight;
  const driver = latest?.assessment.drivers.find(
    (one) => one.column === warned.column && one.contribution > 0,
  );
  const { threshold } = warningFigures(latest, warned);
  const parts = [
    limitsText(sight),
    threshold === null ? '' : `Warning threshold ${percent(threshold)}.`,
    driver ? `Main driver: ${driver.text}` : '',
  ];
  return {
    kind: 'warning',
    priority: 2,
    ...warningWords(plant, latest, warned),
    detail: parts.filter(Boolean).join(' '),
    since: warned.since ? Date.parse(warned.since) : null,
  };
}

/** A warning in words, and its figure beside them. */
export function warningWords(
  plant: PlantView,
  latest: PlantAssessment | null,
  warned: WarningState,
): { title: string; beside: string } {
  const { score } = warningFigures(latest, warned);
  const model = plant.models.find((one) => one.column === warned.column);
  const title =
    warned.text?.replace(/ \([^)]*\)$/, '') ??
    foretold(withinOf(model, warned.horizon_hours), score);
  return { title, beside: beside(score) };
}

/** The score and the threshold behind a warning: its own, else those of the newest assessment. */
function warningFigures(latest: PlantAssessment | null, warned: WarningState) {
  const said = latest?.assessment.models.find((one) => one.column === warned.column);
  return {
    score: warned.score ?? said?.score ?? null,
    threshold: warned.threshold ?? said?.threshold ?? null,
  };
}

function normal(sight: Sight): Headline {
  const without = sight.plant.models.filter((model) => {
    const said = sight.latest?.assessment.models.find((one) => one.column === model.column);
    return model.horizon_hours !== null && said !== undefined && said.score === null;
  });
  const missing = without.map((model) => withinOf(model, 0)).join(', ');
  const detail = `${limitsText(sight)} No active warning.${missing && ` No forecast for ${missing}.`}`;
  return { kind: 'normal', priority: null, title: 'Normal', beside: '', detail, since: null };
}

/** What is known of the limits while none is in alarm. */
function limitsText({ state, time }: Sight): string {
  const pending = (state?.pending ?? []).map(
    (one) => `${one.title} since ${time.clock(one.since)}, on-delay running.`,
  );
  const gaps = (state?.not_evaluated ?? []).map(
    (one) => `Not evaluated: ${one.title} (${one.reason}).`,
  );
  return [...(pending.length ? pending : ['No limit exceeded.']), ...gaps].join(' ');
}

/** The active warning with the shortest horizon. */
export function nearest(warnings: readonly WarningState[]): WarningState | undefined {
  return warnings
    .filter((one) => one.standing)
    .sort((a, b) => a.horizon_hours - b.horizon_hours)[0];
}

/** What a limit's value is of, from its title: not always the instrument's own value. */
function measured({ tag, title }: LimitAlarm): string {
  if (/ from its setpoint$/.test(title)) return `${tag} deviation from setpoint`;
  return (
    title.replace(/ (above|below|beyond|more than) [^a-z]*\S+( above its setpoint)?$/, '') || tag
  );
}

/** `P1: 8.40 bar, limit 8 bar, clears at 7.8 bar`, to the digits of its instrument. */
export function limitText(plant: PlantView, one: LimitAlarm): string {
  const { key, value, limit, unit } = one;
  const range = plant.tags.find((one) => one.key === key)?.range;
  const now =
    value === null
      ? 'no current value'
      : `${range ? figure(value, range) : plain(value)} ${unitOf(unit)}`;
  const text = `${measured(one)}: ${now.trim()}, limit ${plain(limit)} ${unitOf(unit)}`.trim();
  const rule = plant.limits.find(({ rule }) => rule === one.rule);
  if (!rule?.deadband) return text;
  const clears = rule.low ? limit + rule.deadband : limit - rule.deadband;
  return `${text}, clears at ${plain(clears)} ${unitOf(unit)}`.trim();
}

/** The models whose figures lead: the risk now, then a forecast for each horizon. */
export function leading(models: PlantModel[]): PlantModel[] {
  const risk = models.find((one) => one.kind === 'probability' && one.horizon_hours === null);
  const ahead = models.filter((one) => one.horizon_hours !== null);
  ahead.sort((a, b) => (a.horizon_hours ?? 0) - (b.horizon_hours ?? 0));
  return risk ? [risk, ...ahead] : ahead;
}

/** The strongest reasons for one column's score. */
export function driversOf(drivers: Driver[], column: string): Driver[] {
  const own = drivers.filter((one) => one.column === column);
  return own.sort((a, b) => Math.abs(b.contribution) - Math.abs(a.contribution));
}
