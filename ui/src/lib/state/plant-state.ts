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
import { nameText, numberText, percent, valueText, withUnit } from './format';
import { forecastHorizons, horizonOf, horizonSeconds, horizonText } from './horizon';
import type { PlantTime } from './plant-time';
import { forecastText, inBrackets } from './wording';

/** The state of the plant in one line, with the reason. */
export type Headline = {
  kind: 'alarm' | 'warning' | 'normal' | 'unknown';
  /** 1 is the most urgent. */
  priority: number | null;
  title: string;
  /** The probability behind a warning, such as ` (9 %)`, to follow the title. */
  probability: string;
  detail: string;
  /** Milliseconds. */
  since: number | null;
};

/** What the headline is made from. */
export type Context = {
  plant: PlantView;
  time: PlantTime;
  state: PlantState | null;
  status: FeedStatus | null;
  latest: PlantAssessment | null;
  plantNow: number | null;
  notLiveReason: string | null;
};

/** After so many intervals without a new assessment, the last one is too old. */
const OLD_AFTER_INTERVALS = 3;
/** The same while the server states why it cannot assess. */
const OLD_WITH_REASON_INTERVALS = 1;

/** The state of the plant as the server knows it, or the reason why it is unknown. */
export function headline(context: Context): Headline {
  const { plant, state, notLiveReason } = context;
  if (notLiveReason) return unknown(notLiveReason);
  if (!state) return unknown('No reading has been received yet.');
  if (state.in_alarm) return alarm(context, state);
  const gap = assessmentGap(context) ?? state.warnings_reason;
  if (gap) {
    const title = hasForecasts(plant) ? 'No current forecast' : 'No current assessment';
    return { ...unknown(`${limitsText(context)} ${gap}`), title };
  }
  const active = mostUrgent(state.warnings);
  return active ? warning(context, active) : normal(context);
}

/** Why there is no current assessment; null while there is one. */
export function assessmentGap({ plant, time, status, latest, plantNow }: Context): string | null {
  const until = laterOf(status?.assessed_until, latest?.assessment.known_at);
  const reason = reasonOf(status);
  if (!until) return reason ? `No assessment: ${reason}` : 'No interval has been assessed yet.';
  const age = plantNow === null ? 0 : (plantNow - Date.parse(until)) / 1000;
  const allowed = reason ? OLD_WITH_REASON_INTERVALS : OLD_AFTER_INTERVALS;
  if (age <= allowed * plant.cadence_seconds) return null;
  const isToday = time.date(until) === time.date(plantNow ?? until);
  const since = isToday ? time.clock(until) : time.short(until);
  return `No assessment since ${since}${reason ? `: ${reason}` : '.'}`;
}

type Timestamp = string | null | undefined;

/** The later of two times: a status and an assessment are separate events, in any order. */
function laterOf(first: Timestamp, second: Timestamp): string | null {
  if (!first || !second) return first ?? second ?? null;
  return Date.parse(first) > Date.parse(second) ? first : second;
}

/** Why the server cannot assess: a task has failed, or the models do not respond. */
function reasonOf(status: FeedStatus | null): string | null {
  const failedTask = status?.down.find((task) => task.reason);
  if (failedTask?.reason) return failedTask.reason;
  if (status?.inference !== 'down') return null;
  return status.inference_reason ?? 'the models do not respond';
}

/** The active limit alarm of an instrument. */
export function limitAlarmOf(state: PlantState | null, key: string): LimitAlarm | undefined {
  return state?.limits.find((limit) => limit.key === key);
}

/** The label of a model. A column of a model that the plant no longer has is shown by its name. */
export function labelOf(plant: PlantView, column: string): string {
  return plant.models.find((model) => model.column === column)?.label ?? nameText(column);
}

function unknown(detail: string): Headline {
  const title = 'State unknown';
  return { kind: 'unknown', priority: null, title, probability: '', detail, since: null };
}

function alarm({ plant, time }: Context, state: PlantState): Headline {
  const titles = state.limits.map((limit) => limit.title).join(', ');
  const details = state.limits.map((limit) => limitText(plant, limit) + returnText(limit, time));
  return {
    kind: 'alarm',
    priority: 1,
    title: titles ? `In alarm: ${titles}` : 'In alarm',
    probability: '',
    detail: details.join(' · '),
    since: state.since ? Date.parse(state.since) : null,
  };
}

/** An alarm stays active during its off-delay, although its value is back within the limit. */
function returnText({ returning_since }: LimitAlarm, time: PlantTime): string {
  return returning_since ? ` (back within the limit since ${time.clock(returning_since)})` : '';
}

function warning(context: Context, active: WarningState): Headline {
  const { latest } = context;
  const drivers = latest?.assessment.drivers ?? [];
  const driver = drivers.find(
    ({ column, contribution }) => column === active.column && contribution > 0,
  );
  const { threshold } = scoreAndThreshold(latest, active);
  const sentences = [
    limitsText(context),
    threshold === null ? '' : `Warning threshold ${percent(threshold)}.`,
    driver ? `Main driver: ${driver.text}` : '',
  ];
  return {
    kind: 'warning',
    priority: 2,
    ...warningText(latest, active),
    detail: sentences.filter(Boolean).join(' '),
    since: active.since ? Date.parse(active.since) : null,
  };
}

/** A warning in words, and its probability to follow them. */
export function warningText(
  latest: PlantAssessment | null,
  warning: WarningState,
): { title: string; probability: string } {
  const { score } = scoreAndThreshold(latest, warning);
  const within = horizonText(horizonOf(warning) ?? '');
  const title = warning.text?.replace(/ \([^)]*\)$/, '') ?? forecastText(within, score);
  return { title, probability: inBrackets(score) };
}

/** The score and the threshold of a warning; where it has none, those of the newest assessment. */
function scoreAndThreshold(latest: PlantAssessment | null, warning: WarningState) {
  const output = latest?.assessment.models.find(({ column }) => column === warning.column);
  return {
    score: warning.score ?? output?.score ?? null,
    threshold: warning.threshold ?? output?.threshold ?? null,
  };
}

function normal(context: Context): Headline {
  const detail = `${limitsText(context)} ${forecastsText(context)}`;
  return { kind: 'normal', priority: null, title: 'Normal', probability: '', detail, since: null };
}

/** What the forecast models say while no warning is active. */
function forecastsText({ plant, latest }: Context): string {
  if (!hasForecasts(plant)) return 'This plant has no forecast model.';
  const outputs = latest?.assessment.models ?? [];
  const columns = outputs.filter((output) => output.score === null).map((output) => output.column);
  const withoutScore = plant.models.filter((model) => columns.includes(model.column));
  const missing = forecastHorizons(withoutScore).map(horizonText).join(', ');
  return `No active warning.${missing && ` No forecast for ${missing}.`}`;
}

/** The limits while none of them is in alarm. */
function limitsText({ state, time }: Context): string {
  const pending = (state?.pending ?? []).map(
    (limit) => `${limit.title} since ${time.clock(limit.since)}, on-delay running.`,
  );
  const notEvaluated = (state?.not_evaluated ?? []).map(
    (limit) => `Not evaluated: ${limit.title} (${limit.reason}).`,
  );
  const exceeded = pending.length ? pending : ['No limit exceeded.'];
  return [...exceeded, ...notEvaluated].join(' ');
}

/** The active warning with the shortest horizon. */
export function mostUrgent(warnings: readonly WarningState[]): WarningState | undefined {
  const seconds = (warning: WarningState) => horizonSeconds(horizonOf(warning));
  const active = warnings.filter((warning) => warning.standing);
  return active.sort((a, b) => seconds(a) - seconds(b))[0];
}

/** The quantity that a limit is set on. It is not always the instrument's own value. */
function quantityOf({ tag, title }: LimitAlarm): string {
  if (/ from its setpoint$/.test(title)) return `${tag} deviation from setpoint`;
  const condition = / (above|below|beyond|more than) [^a-z]*\S+( above its setpoint)?$/;
  return title.replace(condition, '') || tag;
}

/** `P1: 8.40 bar, limit 8 bar, clears at 7.8 bar`, with the decimals of the instrument. */
export function limitText(plant: PlantView, alarm: LimitAlarm): string {
  const { key, value, limit, unit } = alarm;
  const range = plant.tags.find((tag) => tag.key === key)?.range;
  const current = range ? valueText(value, range) : numberText(value);
  const currentText = value === null ? 'no current value' : withUnit(current, unit);
  const text = `${quantityOf(alarm)}: ${currentText}, limit ${withUnit(numberText(limit), unit)}`;
  const rule = plant.limits.find(({ rule }) => rule === alarm.rule);
  if (!rule?.deadband) return text;
  const clearsAt = rule.low ? limit + rule.deadband : limit - rule.deadband;
  return `${text}, clears at ${withUnit(numberText(clearsAt), unit)}`;
}

/** Whether the plant has models that forecast alarms. */
export function hasForecasts({ models }: Pick<PlantView, 'models'>): boolean {
  return models.some((model) => horizonOf(model) !== null);
}

/** The model of the risk of alarm now. It is the first of the plant's models of that kind. */
export function riskModel(models: readonly PlantModel[]): PlantModel | undefined {
  return models.find((model) => model.kind === 'probability' && horizonOf(model) === null);
}

/**
 * The models with cards of their own: the risk now, then the forecasts, shortest horizon first. A
 * plant without these has the cards of its anomaly models.
 */
export function mainModels(models: readonly PlantModel[]): PlantModel[] {
  const seconds = (model: PlantModel) => horizonSeconds(horizonOf(model));
  const risk = riskModel(models);
  const forecasts = models.filter((model) => horizonOf(model) !== null);
  forecasts.sort((a, b) => seconds(a) - seconds(b));
  const predictive = risk ? [risk, ...forecasts] : forecasts;
  return predictive.length ? predictive : models.filter((model) => model.kind === 'anomaly');
}

/** Models that learn from labelled alarms: a plant without labels has none of them. */
const LABELLED_KINDS: PlantModel['kind'][] = ['probability', 'classes'];

/** Why the plant has no forecast model; null where it has one. */
export function noForecastReason(plant: Pick<PlantView, 'models'>): string | null {
  if (hasForecasts(plant)) return null;
  const usesLabels = plant.models.some((model) => LABELLED_KINDS.includes(model.kind));
  const reason = usesLabels ? 'its description has no horizons' : 'it has no labelled alarms';
  return `This plant has no forecast model: ${reason}.`;
}

/** Why the plant has no form for predictions; null where it has one. */
export function noPredictionReason(plant: Pick<PlantView, 'models' | 'predict_fields'>) {
  if (!riskModel(plant.models)) return 'This plant has no risk model: it has no labelled alarms.';
  if (plant.predict_fields.length) return null;
  return 'This plant has no input fields: its description lists none for this page.';
}

/** The drivers of one model's score, strongest first. */
export function driversOf(drivers: Driver[], column: string): Driver[] {
  const own = drivers.filter((driver) => driver.column === column);
  return own.sort((a, b) => Math.abs(b.contribution) - Math.abs(a.contribution));
}
