import { expect, test } from 'vitest';
import { answer } from '../api/problem';
import { json, refused, served } from './fixtures';
import { Session } from './session.svelte';

const ORIGIN = 'http://screen.test';
const granted = (access_token: string, role = 'operator') =>
  json({ access_token, token_type: 'bearer', expires_in: 900, person: { username: 'ada', role } });
const bearer = (request: Request) => request.headers.get('Authorization');

test('a login sends a form, keeps the token in memory, and signs what follows', async () => {
  let form = '';
  const { send } = served({
    'POST /auth/login': async (request) => ((form = await request.text()), granted('first')),
    'GET /plant': (request) => json({ bearer: bearer(request) }),
  });
  const session = new Session(send, ORIGIN);
  await session.login('ada', 'a & b');
  expect(form).toBe('username=ada&password=a+%26+b');
  expect(session.phase).toBe('in');
  expect(await answer(session.api.GET('/plant'))).toEqual({ bearer: 'Bearer first' });
  expect(localStorage.length).toBe(0);
});

test('a 401 renews the token once, for everybody who waits, and sends the same body again', async () => {
  const bodies: string[] = [];
  const { send, asked } = served({
    'POST /auth/login': () => granted('old'),
    'POST /auth/refresh': () => granted('new'),
    'POST /infer/predict': async (request) => {
      bodies.push(await request.text());
      return bearer(request) === 'Bearer new' ? json({ risk_score: 0.1 }) : refused(401, 'expired');
    },
  });
  const session = new Session(send, ORIGIN);
  await session.login('ada', 'secret');
  const body = { features: { p1: 1 } };
  await Promise.all([1, 2].map(() => answer(session.api.POST('/infer/predict', { body }))));
  expect(asked.filter((name) => name === 'POST /auth/refresh')).toHaveLength(1);
  expect(new Set(bodies)).toEqual(new Set(['{"features":{"p1":1}}']));
  expect(session.phase).toBe('in');
});

test('where renewing is refused, the session is expired and the person stays on the screen', async () => {
  const { send } = served({
    'POST /auth/login': () => granted('old', 'engineer'),
    'POST /auth/refresh': () => refused(401, 'nobody is logged in'),
    'GET /plant': () => refused(401, 'expired'),
  });
  const session = new Session(send, ORIGIN);
  await session.login('ada', 'secret');
  await expect(answer(session.api.GET('/plant'))).rejects.toThrow('expired');
  expect(session.phase).toBe('expired');
  expect(session.person?.username).toBe('ada');
  expect([session.may('operator'), session.may('engineer'), session.may('admin')]).toEqual([
    true,
    true,
    false,
  ]);
});

test('an unreachable server is not an expired session', async () => {
  const { send } = served({
    'POST /auth/login': () => granted('old'),
    'GET /plant': () => refused(401, 'expired'),
  });
  const session = new Session(send, ORIGIN);
  await session.login('ada', 'secret');
  await expect(answer(session.api.GET('/plant'))).rejects.toThrow('expired');
  expect(session.phase).toBe('in');
});

test.each([
  ['a good cookie', () => granted('again'), 'in', null],
  ['no cookie', () => refused(401, 'no cookie'), 'out', null],
  ['a server in trouble', () => refused(503, 'down'), 'starting', 'down'],
])('a start with %s', async (_, refresh, phase, problem) => {
  const { send } = served({ 'POST /auth/refresh': refresh });
  const session = new Session(send, ORIGIN);
  await session.start();
  expect(session.phase).toBe(phase);
  expect(session.problem?.message ?? null).toBe(problem);
});
