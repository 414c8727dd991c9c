/** Names for the bodies of the API. The rest of the screen uses these, not the generated schema. */
import type { components, operations } from './schema';

type Bodies = components['schemas'];

/**
 * A body that states the horizon of a forecast as a duration, such as `10min` or `3h`.
 * Null: the body is about the present. Read it with `horizonOf`.
 */
type WithHorizon<Body> = Body & { horizon?: string | null };

/** The type that every request has for its horizon. */
type RequestHorizon = Bodies['ForecastRequest']['horizon'] &
  NonNullable<Bodies['ExplainRequest']['horizon']> &
  NonNullable<NonNullable<operations['auto']['parameters']['query']>['horizon']>;

/**
 * A horizon in a request. The API accepts a duration or a whole number of hours; the screen always
 * sends the duration.
 */
export function requestHorizon(duration: string): RequestHorizon {
  return duration as unknown as RequestHorizon;
}

export type Assessment = Bodies['Assessment'];
export type Contribution = Bodies['Contribution'];
export type Drift = Bodies['Drift'];
export type Driver = Bodies['Driver'];
export type Entry = WithHorizon<Bodies['Entry']>;
export type EntryType = Entry['type'];
export type Events = Bodies['Events'];
export type Explanation = Bodies['StoredExplanation'];
export type FeedStatus = Bodies['FeedStatus'];
export type Forecast = WithHorizon<Bodies['StoredForecast']>;
export type Importances = Bodies['Importances'];
/** How many of a model's inputs a result is based on. */
export type Inputs = Bodies['Inputs'];
export type IntervalSummary = Bodies['IntervalSummary'];
export type LimitAlarm = Bodies['LimitAlarm'];
export type LimitLine = Bodies['LimitLine'];
export type Live = Bodies['Live'];
/** How a champion compares with the challenger that runs in shadow. */
export type ModelComparison = Bodies['Contest'];
export type ModelComparisons = Bodies['Comparison'];
/** The output of one model for one interval. */
export type ModelOutput = WithHorizon<Bodies['Said']>;
/** The model version that produced an output. */
export type ModelRef = Bodies['Spoke'];
export type ModelStatus = Bodies['ModelStatus'];
export type Overview = Bodies['Overview'];
export type Person = Bodies['Person'];
export type PlantAssessment = Bodies['PlantAssessment'];
export type PlantModel = WithHorizon<Bodies['PlantModel']>;
export type PlantState = Bodies['PlantState'];
export type PlantTag = Bodies['PlantTag'];
/** The description of the plant; `horizons` has durations, such as `10min`. */
export type PlantView = Bodies['PlantView'] & { horizons?: string[] };
export type PredictField = Bodies['PredictField'];
export type Prediction = Bodies['StoredPrediction'];
export type RuleState = Bodies['RuleState'];
export type Role = Person['role'];
export type Scenario = Bodies['Scenario'];
export type Series = Bodies['Series'];
export type SignIn = Bodies['SignIn'];
export type Span = Bodies['Span'];
export type TagQuality = Bodies['TagQuality'];
export type Trends = Bodies['Trends'];
export type WarningState = WithHorizon<Bodies['WarningState']>;

/** An interval: a time and named values. The generated type omits which of them are numbers. */
export type Row = { timestamp?: string | null; segment?: number | null } & Record<
  string,
  number | string | null | undefined
>;
export type Observation = Bodies['Observation'];

/** A value of a row; null where it is missing. */
export function numberAt(row: object | null | undefined, key: string): number | null {
  const value = (row as Row | null | undefined)?.[key];
  return typeof value === 'number' ? value : null;
}
