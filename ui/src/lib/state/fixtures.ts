import type {
  Assessment,
  FeedStatus,
  LimitAlarm,
  ModelOutput,
  PlantAssessment,
  PlantModel,
  PlantState,
  PlantTag,
  PlantView,
  WarningState,
} from '../api/types';
import { horizonText } from './horizon';

/** The instruments of a small plant, for the tests. */
export const TAGS: PlantTag[] = [
  {
    key: 'p1',
    tag: 'P1',
    title: 'Pressure',
    unit: 'bar',
    process_unit: 'column',
    range: [0, 10],
    normal: [2, 6],
    limits: [{ key: 'p1', value: 8, title: 'bursting' }],
    stale_after_seconds: 600,
    setpoint: null,
    output: null,
  },
  {
    key: 'l1',
    tag: 'L1',
    title: 'Level',
    unit: '%',
    process_unit: 'column',
    range: [0, 100],
    normal: [40, 60],
    limits: [],
    stale_after_seconds: 3600,
    setpoint: 'l1_sp',
    output: null,
  },
];

const RISK: PlantModel = {
  name: 'risk',
  column: 'risk_score',
  label: 'Risk now',
  title: 'Risk',
  kind: 'probability',
  horizon: null,
  horizon_hours: null,
  unit: null,
};

const NORMALITY: PlantModel = {
  ...RISK,
  name: 'normality',
  column: 'normality',
  label: 'Distance from normal',
  title: 'Distance from normal behaviour (unsupervised)',
  kind: 'anomaly',
};

function forecaster(horizon: string, horizon_hours: number): PlantModel {
  const within = `within ${horizonText(horizon)}`;
  return {
    ...RISK,
    name: `forecaster_${horizon}`,
    column: `forecast_${horizon}`,
    label: `Alarm ${within}`,
    title: `Probability that an alarm begins ${within}`,
    horizon,
    horizon_hours,
  };
}

export const PLANT: PlantView = {
  name: 'small',
  title: 'Small plant',
  timezone: 'Europe/Berlin',
  simulated: true,
  cadence_seconds: 3600,
  window_rows: 3,
  longest_useful_lead_seconds: 21600,
  horizons: ['1h', '3h'],
  horizons_hours: [1, 3],
  units: [{ key: 'column', title: 'Column' }],
  tags: TAGS,
  limits: [],
  models: [RISK, forecaster('3h', 3), forecaster('1h', 1)],
  predict_fields: [{ feature: 'p1_max', title: 'Highest pressure', unit: 'bar', low: 0, high: 10 }],
  predict_presets: [],
  forecast_presets: [],
};

/** A fast plant. Its three horizons are less than an hour. */
export const MINUTES_PLANT: PlantView = {
  ...PLANT,
  cadence_seconds: 60,
  horizons: ['10min', '20min', '30min'],
  horizons_hours: [1 / 6, 1 / 3, 1 / 2],
  models: [
    RISK,
    forecaster('10min', 1 / 6),
    forecaster('20min', 1 / 3),
    forecaster('30min', 1 / 2),
  ],
};

/** A plant with labelled alarms and without horizons. */
export const NO_HORIZONS_PLANT: PlantView = {
  ...PLANT,
  horizons: [],
  horizons_hours: [],
  models: [RISK],
};

/** A plant without labelled alarms: it has only the normal-behaviour model. */
export const UNLABELLED_PLANT: PlantView = {
  ...PLANT,
  models: [NORMALITY],
  predict_fields: [],
};

type OutputOptions = { score?: number | null; threshold?: number };

/** The output of a model. */
export function outputOf(
  model: PlantModel,
  { score = 0.72, threshold = 0.4 }: OutputOptions = {},
): ModelOutput {
  return {
    ...model,
    score,
    threshold,
    alarm: score !== null && score >= threshold ? 1 : 0,
    missing: [],
    not_promoted: false,
    model: { name: model.name, version: '2', unpromoted: false },
  };
}

/** The warnings of a plant's forecast models, active for some of their horizons. */
export function warningsOf(
  { models }: Pick<PlantView, 'models'>,
  activeHorizons: string[] = [],
  since = '2026-06-01T12:00:00Z',
): WarningState[] {
  const forecasters = models as PlantModel[];
  return forecasters.flatMap(({ column, horizon, horizon_hours }) => {
    if (!horizon || horizon_hours === null) return [];
    const standing = activeHorizons.includes(horizon);
    return [{ column, horizon, horizon_hours, standing, since: standing ? since : null }];
  });
}

/** The assessment of the interval that ends at `end`, with a forecast for 3 h. */
export function assessmentAt(
  end: string,
  changes: Partial<Assessment> = {},
  activeHorizons: string[] = [],
): PlantAssessment {
  const timestamp = new Date(Date.parse(end) - 3_600_000).toISOString();
  const interval = { timestamp, p1: 5, l1: 50, l1_sp: 49 };
  return {
    interval: interval as unknown as PlantAssessment['interval'],
    assessment: {
      timestamp,
      known_at: end,
      n_intervals: 61,
      in_alarm_now: false,
      shadows: [],
      models: [outputOf(forecaster('3h', 3))],
      drivers: [
        {
          feature: 'p1_max',
          key: 'p1',
          value: 7,
          contribution: 1.2,
          column: 'forecast_3h',
          text: 'Pressure 7 bar',
        },
      ],
      rules: [
        {
          name: 'bursting',
          column: 'P1_max',
          value: 7,
          above: 8,
          unit: 'bar',
          met: false,
          low: false,
        },
      ],
      quality: [],
      ...changes,
    },
    warnings: warningsOf(PLANT, activeHorizons, end),
  };
}

export const STATUS: FeedStatus = {
  feed: 'live',
  feed_reason: null,
  inference: 'ready',
  inference_reason: null,
  plant_time: '2026-06-01T12:00:00Z',
  server_time: '2026-06-01T12:00:00Z',
  assessed_until: '2026-06-01T12:00:00Z',
  unassessed: 0,
  down: [],
  quarantined: 0,
  quarantine_reason: null,
  refused: 0,
  refused_reason: null,
};

/** The state of a plant without alarms, with warnings for some horizons. */
export function stateWith(
  changes: Partial<PlantState> = {},
  activeHorizons: string[] = [],
): PlantState {
  return {
    plant_time: '2026-06-01T12:00:00Z',
    known: true,
    reason: null,
    in_alarm: false,
    since: null,
    limits: [],
    pending: [],
    not_evaluated: [],
    warnings: warningsOf(PLANT, activeHorizons),
    ...changes,
  };
}

/** The first instrument exceeds its limit. */
export function limitAlarm(changes: Partial<LimitAlarm> = {}): LimitAlarm {
  return {
    rule: 'bursting',
    key: 'p1',
    tag: 'P1',
    title: 'P1 above 8 bar',
    limit: 8,
    unit: 'bar',
    value: 8.4,
    since: '2026-06-01T11:40:00Z',
    approximate: false,
    ...changes,
  };
}

/** The state of a plant in which the first instrument exceeds its limit. */
export function stateInAlarm(changes: Partial<LimitAlarm> = {}): PlantState {
  const limit = limitAlarm(changes);
  return stateWith({ in_alarm: true, since: limit.since, limits: [limit] });
}

type Route = (request: Request) => Response | Promise<Response>;

/** A server in memory. `routes` has a function for each method and path, such as `GET /plant`. */
export function serverWith(routes: Record<string, Route>) {
  /** The method and path of each request. */
  const requests: string[] = [];
  const send = async (request: Request) => {
    const name = `${request.method} ${new URL(request.url).pathname.replace('/api', '')}`;
    requests.push(name);
    const route = routes[name];
    if (!route) throw new TypeError(`there is no route ${name}`);
    return route(request);
  };
  return { send, requests };
}

export function json(body: unknown, status = 200): Response {
  const headers = { 'Content-Type': 'application/json' };
  return new Response(JSON.stringify(body), { status, headers });
}

export function problem(status: number, detail: string): Response {
  return json({ title: 'Refused', status, detail }, status);
}
