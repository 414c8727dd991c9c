import type { Driver, IntervalSummary, PlantAssessment, PlantModel, PlantView, RuleState, Said } from '../api/types';
import { percent, plain, words } from './format';

/** The plant in one word, and the reason in a sentence. `priority`: 1 is the most urgent. */
export type PlantState = {
  kind: 'alarm' | 'warning' | 'normal' | 'unknown';
  priority: number | null;
  title: string;
  detail: string;
  /** Milliseconds. */
  since: number | null;
};

type Sight = {
  plant: PlantView;
  latest: PlantAssessment | null;
  past: IntervalSummary[];
  plantNow: number | null;
  blind: string | null;
};

/** Intervals without a new assessment after which the last one says nothing of now. */
const OLD_AFTER_INTERVALS = 3;

export function judge({ plant, latest, past, plantNow, blind }: Sight): PlantState {
  if (blind) return unknown(blind);
  if (!latest) return unknown('No closed interval has been assessed yet.');
  const known = latest.assessment.known_at ? Date.parse(latest.assessment.known_at) : null;
  if (known && plantNow && plantNow - known > OLD_AFTER_INTERVALS * plant.cadence_seconds * 1000)
    return unknown('The last assessment is too old to speak of now.');
  if (latest.assessment.in_alarm_now) return alarm(latest, past);
  const standing = latest.warnings.filter((one) => one.standing).sort((a, b) => a.horizon_hours - b.horizon_hours)[0];
  return standing ? warning(latest, standing.column, standing.horizon_hours, standing.since) : normal(latest);
}

/** What heads a model's figure; a column that the plant no longer has, as words. */
export function labelOf(plant: PlantView, column: string): string {
  return plant.models.find((one) => one.column === column)?.label ?? words(column);
}

function unknown(detail: string): PlantState {
  return { kind: 'unknown', priority: null, title: 'State not known', detail, since: null };
}

function alarm(latest: PlantAssessment, past: IntervalSummary[]): PlantState {
  const met = latest.assessment.rules.filter((rule) => rule.met);
  const calm = past.findLastIndex((one) => !one.in_alarm);
  const first = past[calm + 1]?.timestamp;
  const title = met.length ? `In alarm: ${met.map((rule) => words(rule.name)).join(', ')}` : 'In alarm';
  const detail = met.map(ruleText).join(' · ');
  return { kind: 'alarm', priority: 1, title, detail, since: first && calm >= 0 ? Date.parse(first) : null };
}

function warning(latest: PlantAssessment, column: string, hours: number, since: string | null): PlantState {
  const said = latest.assessment.models.find((one) => one.column === column);
  const driver = latest.assessment.drivers.find((one) => one.column === column && one.contribution > 0);
  const sure = said ? `Probability ${percent(said.score)}${threshold(said)}.` : '';
  const detail = [sure, driver ? `Mainly: ${driver.text}` : ''].filter(Boolean).join(' ');
  const title = `Warning: alarm likely within ${hours} h`;
  return { kind: 'warning', priority: 2, title, detail, since: since ? Date.parse(since) : null };
}

function normal(latest: PlantAssessment): PlantState {
  const silent = latest.assessment.models.filter((one) => one.horizon_hours && one.score === null);
  const hours = silent.map((one) => `${one.horizon_hours} h`).join(', ');
  const detail = silent.length
    ? `No limit is broken. No forecast for ${hours}.`
    : 'No limit is broken, no warning stands.';
  return { kind: 'normal', priority: null, title: 'Normal', detail, since: null };
}

function threshold(said: Said): string {
  return said.threshold === null || said.threshold === undefined ? '' : `, warns from ${percent(said.threshold)}`;
}

export function ruleText(rule: RuleState): string {
  return `${rule.column} ${plain(rule.value)} ${rule.unit}, limit ${plain(rule.above)} ${rule.unit}`;
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
