/** The bodies of the API by their own names. */
import type { components } from './schema';

type Bodies = components['schemas'];

export type Assessment = Bodies['Assessment'];
export type Comparison = Bodies['Comparison'];
export type Contribution = Bodies['Contribution'];
export type Drift = Bodies['Drift'];
export type Driver = Bodies['Driver'];
export type Entry = Bodies['Entry'];
export type EntryType = Entry['type'];
export type Explanation = Bodies['StoredExplanation'];
export type FeedStatus = Bodies['FeedStatus'] & {
  assessed_until?: string | null;
  down?: TaskState[];
  quarantined?: number;
  quarantine_reason?: string | null;
};
export type Forecast = Bodies['StoredForecast'] & { inputs?: Inputs };
export type Importances = Bodies['Importances'];
/** How many of a model's inputs an answer had. */
export type Inputs = { given: number; of: number };
export type IntervalSummary = Bodies['IntervalSummary'];
export type LimitAlarm = {
  rule: string;
  key: string;
  tag: string;
  title: string;
  limit: number;
  unit: string;
  value: number | null;
  since: string;
  returning_since?: string | null;
};
export type LimitEvent = {
  id: number;
  rule: string;
  key: string;
  tag: string;
  title: string;
  limit: number;
  unit: string;
  peak: number | null;
  begin: string;
  end: string | null;
  approximate: boolean;
};
export type LimitGap = { rule: string; key: string; title: string; reason: string };
export type LimitLine = Bodies['LimitLine'];
export type Live = Bodies['Live'];
export type ModelStatus = Bodies['ModelStatus'];
export type Overview = Bodies['Overview'] & { state?: PlantState };
export type Person = Bodies['Person'];
export type PlantAssessment = Bodies['PlantAssessment'];
export type PlantModel = Bodies['PlantModel'];
export type PlantState = {
  plant_time: string | null;
  known: boolean;
  reason: string | null;
  in_alarm: boolean;
  since: string | null;
  limits: LimitAlarm[];
  pending?: LimitAlarm[];
  not_evaluated?: LimitGap[];
  warnings: WarningState[];
};
export type PlantTag = Bodies['PlantTag'];
export type PlantLimit = {
  rule: string;
  key: string;
  tag: string;
  title: string;
  column: string;
  limit: number;
  unit: string;
  low: boolean;
  absolute: boolean;
  deadband: number;
  on_delay_seconds: number;
  off_delay_seconds: number;
};
export type PlantView = Bodies['PlantView'] & { limits?: PlantLimit[] };
export type Prediction = Bodies['StoredPrediction'] & { inputs?: Inputs };
export type Role = Person['role'];
export type RuleState = Bodies['RuleState'];
export type Said = Bodies['Said'];
export type Scenario = Bodies['Scenario'];
export type Series = Bodies['Series'];
export type SignIn = Bodies['SignIn'];
export type Span = Bodies['Span'];
export type TagQuality = Bodies['TagQuality'];
export type TaskState = {
  name: string;
  state: 'running' | 'failed' | 'stalled';
  reason: string | null;
  since: string;
  restarts: number;
};
export type Trends = Bodies['Trends'];
export type WarningState = Bodies['WarningState'] & {
  score?: number | null;
  threshold?: number | null;
  text?: string | null;
};

/** A row of named numbers as it travels; the generated type cannot say that only some names are numbers. */
export type Row = { timestamp?: string | null; segment?: number | null } & Record<
  string,
  number | string | null | undefined
>;
export type Observation = Bodies['Observation'];

/** A row's number; missing is null. */
export function numberAt(row: object | null | undefined, key: string): number | null {
  const value = (row as Row | null | undefined)?.[key];
  return typeof value === 'number' ? value : null;
}
