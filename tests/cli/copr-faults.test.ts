// Failures between us and COPR, tested against the stand-in server with a clock that does not wait.
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BootcError, describeError, exitStatusOf } from "../../src/errors.ts";
import { cancelBuild, getBuild, getMonitor, listBuilds } from "../../xtask/copr/api.ts";
import { listLogPlaces } from "../../xtask/copr/build/logs.ts";
import { startBuild } from "../../xtask/copr/build/start-build.ts";
import { readProgress, requireSuccess, watchBuild } from "../../xtask/copr/build/watch.ts";
import type { Connection } from "../../xtask/copr/connection.ts";
import { parseCredentials } from "../../xtask/copr/credentials.ts";
import { applyChanges, describeChanges, readChanges } from "../../xtask/copr/project/apply.ts";
import type { ProjectFile } from "../../xtask/copr/project/project-file.ts";
import { postPush, requireTriggeredBuild, rotateWebhook } from "../../xtask/copr/webhook.ts";
import {
  addBuild,
  addFault,
  branchFedora,
  CHROOTS,
  type CoprServer,
  GATEWAY_TIMEOUT,
  LOGIN,
  startCoprServer,
  TOKEN,
  tokenFile,
} from "../copr-server.ts";
import { createTestClock, type TestClock } from "../test-clock.ts";

const TERMINAL = { isStdoutTerminal: false, isStderrTerminal: false, hasColor: false, columns: 80 };
const FILE: ProjectFile = {
  owner: "tester",
  project: "demo",
  description: "A demonstration",
  chroots: ["fedora-rawhide-aarch64", "fedora-rawhide-x86_64"],
  package: {
    name: "demo",
    cloneUrl: "https://example.org/demo.git",
    committish: "main",
    maxBuilds: 5,
  },
};
const PROJECT = { owner: "tester", project: "demo" };

let server: CoprServer;
let clock: TestClock;
let notes: string[];
let interrupt: AbortController;
let copr: Connection;
let folder: string;

beforeEach(async () => {
  server = await startCoprServer();
  clock = createTestClock();
  notes = [];
  interrupt = new AbortController();
  copr = {
    url: server.url,
    credentials: parseCredentials(tokenFile(server), "f"),
    clock,
    signal: interrupt.signal,
    note: (line) => void notes.push(line),
  };
  folder = await mkdtemp(join(tmpdir(), "copr-"));
});

afterEach(async () => {
  await server.close();
  await rm(folder, { recursive: true });
  // Whatever went wrong, no output contains a secret.
  for (const secret of [LOGIN, TOKEN, Buffer.from(`${LOGIN}:${TOKEN}`).toString("base64")]) {
    expect(notes.join("\n")).not.toContain(secret);
  }
});

async function makeProject(file = FILE): Promise<void> {
  await applyChanges(copr, file, await readChanges(copr, file));
}

async function fails(work: Promise<unknown>): Promise<{ status: number; text: string }> {
  const error = (await work.then(
    () => expect.fail("it succeeded"),
    (it: unknown) => it,
  )) as BootcError;
  const text = `${error.message}${error.hint === undefined ? "" : `\nhint: ${error.hint}`}`;
  for (const secret of [LOGIN, TOKEN]) expect(text).not.toContain(secret);
  return { status: exitStatusOf(error), text };
}

async function makeSrpm(sizeBytes: number): Promise<string> {
  const path = join(folder, "demo-1.0-1.src.rpm");
  await writeFile(path, Buffer.alloc(sizeBytes, "demo"));
  return path;
}

const upload = (path: string) =>
  startBuild(copr, FILE, {
    source: { kind: "srpm", path },
    chroots: [],
    isBackground: false,
    terminal: TERMINAL,
  });

test.each([
  {
    status: 400,
    body: '{"error":"a: wrong\\nb: too"}',
    want: 1,
    text: /refused \(400\): a: wrong; b: too/,
  },
  {
    status: 401,
    body: '{"output":"notok","error":"Login invalid"}',
    want: 5,
    text: /refuses the token: Login/,
  },
  {
    status: 403,
    body: '{"error":"not yours"}',
    want: 5,
    text: /does not allow this user to do that: not yours/,
  },
  {
    status: 404,
    body: '{"error":"no build"}',
    want: 1,
    text: /build 7: the server does not know it: no build\nhint: .*copr apply.*copr status/,
  },
  {
    status: 404,
    body: "<title>404 Not Found</title>",
    want: 1,
    text: /know it: 404 Not Found\nhint/,
  },
  { status: 409, body: '{"error":"finished"}', want: 1, text: /not possible now: finished/ },
  {
    status: 422,
    body: '{"error":"unprocessable"}',
    want: 1,
    text: /refused \(422\): unprocessable/,
  },
  { status: 500, body: '{"error":"a bug"}', want: 4, text: /answered 500: a bug/ },
  {
    status: 504,
    body: GATEWAY_TIMEOUT,
    want: 4,
    text: /answered 504: 504 Gateway Timeout/,
  },
  { status: 502, body: "", want: 4, text: /answered 502\nhint/ },
  { status: 503, body: "busy", want: 4, text: /answered 503: busy/ },
  {
    status: 200,
    body: "<html><title>Welcome</title></html>",
    want: 4,
    text: /did not answer with JSON/,
  },
  { status: 200, body: '{"id": 7, "sta', want: 4, text: /did not answer with JSON/ },
  { status: 200, body: '{"id": 7}', want: 4, text: /does not describe a build/ },
  { status: 301, body: "", want: 4, text: /moved to `https:\/\/elsewhere\.example\/`/ },
])("an answer $status $body ends with status $want", async ({ status, body, want, text }) => {
  addFault(server, {
    on: "GET /build/7",
    times: 99,
    kind: {
      status,
      body,
      headers: status === 301 ? { location: "https://elsewhere.example/" } : {},
    },
  });
  const error = await fails(getBuild(copr, 7));
  expect(error.text).toMatch(text);
  expect(error.status).toBe(want);
});

test("a secret that the server repeats is not printed", async () => {
  const body = JSON.stringify({ error: `bad ${LOGIN} ${TOKEN}` });
  addFault(server, { on: "GET /build/7", times: 1, kind: { status: 401, body } });
  expect((await fails(getBuild(copr, 7))).text).toContain("bad *** ***");
});

test("a secret in a truncated answer, or in one that is not JSON, is not printed", async () => {
  await makeProject();
  const fault = { on: "POST /webhook/generate", times: 1 };
  const text = (secret: string) => `{"id": 500, "webhook_secret": "${secret}"`;
  addFault(server, { ...fault, kind: { status: 200, body: text("5f0c-new-secret") } });
  const short = await rotateWebhook(copr, FILE).catch(describeError);
  expect(short).toMatchObject({ kind: "network", causes: [] });
  const body = `<title>Hello ${LOGIN} ${TOKEN}</title>`;
  addFault(server, { ...fault, kind: { status: 200, body } });
  const page = await rotateWebhook(copr, FILE).catch(describeError);
  expect(page).toMatchObject({ kind: "network", causes: ["Hello *** ***"] });
});

test("429 with Retry-After causes a wait, and the request is sent again", async () => {
  await makeProject();
  addFault(server, {
    on: "GET /build/list",
    times: 2,
    kind: { status: 429, body: "{}", headers: { "retry-after": "13" } },
  });
  expect(await listBuilds(copr, { ...PROJECT, limit: 5 })).toEqual([]);
  expect(clock.pauses).toEqual([13_000, 13_000]);
  expect(notes.at(-1)).toMatch(/asks to slow down; trying again in 13 s/);
});

test("a server that demands a wait of an hour is reported at once", async () => {
  addFault(server, {
    on: "GET /build/7",
    times: 1,
    kind: { status: 429, body: "{}", headers: { "retry-after": "3600" } },
  });
  const error = await fails(getBuild(copr, 7));
  expect(error).toMatchObject({ status: 4, text: expect.stringMatching(/for 60 minutes/) });
  expect(clock.pauses).toEqual([]);
});

test("a server that is away for a moment is asked again", async () => {
  await makeProject();
  addFault(server, { on: "GET /build/list", times: 1, kind: "lost-answer" });
  addFault(server, { on: "GET /build/list", times: 1, kind: { status: 504, body: "<html>" } });
  expect(await listBuilds(copr, { ...PROJECT, limit: 5 })).toEqual([]);
  expect(clock.pauses).toEqual([1000, 2000]);
});

test("an unreachable server is status 4, after some tries", async () => {
  await server.close();
  const error = await fails(getBuild(copr, 7));
  expect(error).toMatchObject({ status: 4, text: expect.stringMatching(/^cannot reach `http:/) });
  expect(clock.pauses).toHaveLength(4);
  server = await startCoprServer();
});

test("builds are listed page by page", async () => {
  await makeProject();
  for (let i = 0; i < 230; i += 1) {
    addBuild(server, { project: "tester/demo", chroots: [], request: {}, submitter: "tester" });
  }
  const builds = await listBuilds(copr, { ...PROJECT, limit: 205 });
  expect(builds.map((it) => it.id)).toEqual(Array.from({ length: 205 }, (_, i) => 1230 - i));
  expect(server.seen.filter((it) => it.path === "/build/list")).toHaveLength(3);
});

test("apply makes a project, then finds nothing to change except values that the server hides", async () => {
  await makeProject();
  const project = server.projects.get("tester/demo");
  expect(project?.chroots).toEqual(FILE.chroots);
  expect(project?.fields).toMatchObject({ enable_net: false });
  expect(project?.packages.get("demo")).toMatchObject({
    auto_rebuild: true,
    source_dict: { srpm_build_method: "make_srpm", committish: "main", type: "git" },
  });
  expect(describeChanges(await readChanges(copr, FILE))).toEqual([
    "? package max_builds: 5 (the server does not show it; set again)",
  ]);
});

test("a text with the server's line endings equals ours", async () => {
  const file = { ...FILE, description: "One.\n\nTwo." };
  await applyChanges(copr, file, await readChanges(copr, file));
  const project = server.projects.get("tester/demo");
  if (project !== undefined)
    project.fields = { ...project.fields, description: "One.\r\n\r\nTwo.\r\n" };
  expect(
    describeChanges(await readChanges(copr, file)).filter((it) => !it.startsWith("?")),
  ).toEqual([]);
});

test("apply reports the differences, and changes nothing else", async () => {
  await makeProject();
  const next: ProjectFile = {
    ...FILE,
    description: "Better",
    chroots: ["fedora-44-x86_64", "fedora-rawhide-x86_64"],
    package: { ...FILE.package, committish: "next" },
  };
  const changes = await readChanges(copr, next);
  expect(describeChanges(changes)).toEqual([
    '~ project description: "A demonstration" -> "Better"',
    "~ project chroots: +fedora-44-x86_64 -fedora-rawhide-aarch64",
    '~ package committish: "main" -> "next"',
    "? package max_builds: 5 (the server does not show it; set again)",
  ]);
  await applyChanges(copr, next, changes);
  const edit = server.seen.find((it) => it.path.startsWith("/project/edit/"));
  expect(edit?.json).toEqual({
    description: "Better",
    chroots: ["fedora-44-x86_64", "fedora-rawhide-x86_64"],
  });
});

// Without the setting in the project file, the server's own default applies, which is on.
test.each([{ followFedoraBranching: true }, {}])(
  "the chroots of a branched Fedora stay with %j",
  async (setting) => {
    const chroots = ["fedora-44-x86_64", "fedora-45-x86_64", ...FILE.chroots];
    const file = { ...FILE, chroots, ...setting };
    await makeProject(file);
    branchFedora(server, 46);
    const project = server.projects.get("tester/demo");
    expect(project?.chroots).toContain("fedora-46-x86_64");
    notes.length = 0;

    // By themselves they are not a difference.
    const unchanged = await readChanges(copr, file);
    expect(describeChanges(unchanged).filter((it) => !it.startsWith("?"))).toEqual([]);
    expect(notes).toEqual([
      "fedora-46-aarch64, fedora-46-x86_64: left as the server added them when Fedora branched; " +
        "list them in copr/project.json: in `chroots` to manage them, in `excludedChroots` to remove them",
    ]);
    // When there is a difference, they stay as well. A chroot of ours that is no longer listed goes.
    const next = { ...file, chroots: ["centos-stream-10-x86_64", ...chroots.slice(1)] };
    const changes = await readChanges(copr, next);
    expect(describeChanges(changes).filter((it) => !it.startsWith("?"))).toEqual([
      "~ project chroots: +centos-stream-10-x86_64 -fedora-44-x86_64",
    ]);
    await applyChanges(copr, next, changes);
    expect(project?.chroots).toEqual(
      [...next.chroots, "fedora-46-aarch64", "fedora-46-x86_64"].toSorted(),
    );

    // Listed, they are ours.
    notes.length = 0;
    const ours = { ...next, chroots: [...next.chroots, "fedora-46-aarch64", "fedora-46-x86_64"] };
    await readChanges(copr, ours);
    expect(notes).toEqual([]);

    const without = { ...next, excludedChroots: ["fedora-46-aarch64", "fedora-46-x86_64"] };
    await applyChanges(copr, without, await readChanges(copr, without));
    expect(project?.chroots).toEqual(next.chroots.toSorted());
  },
);

test("without following, only the file decides about chroots", async () => {
  await makeProject({ ...FILE, followFedoraBranching: true });
  branchFedora(server, 46);
  await makeProject({ ...FILE, followFedoraBranching: false });
  expect(server.projects.get("tester/demo")?.chroots).toEqual(FILE.chroots);
});

test("a chroot that the server does not offer is found before anything changes", async () => {
  const error = await fails(readChanges(copr, { ...FILE, chroots: ["fedora-9-x86_64"] }));
  expect(error.text).toMatch(/does not offer `fedora-9-x86_64`/);
  expect(server.projects.size).toBe(0);
});

test("apply continues after lost answers", async () => {
  addFault(server, { on: "POST /project/add", times: 1, kind: "lost-answer" });
  addFault(server, { on: "POST /package/add", times: 1, kind: "lost-answer" });
  await makeProject();
  expect(server.projects.get("tester/demo")?.packages.has("demo")).toBe(true);
});

test("an upload arrives byte for byte, with its settings", async () => {
  await makeProject();
  const path = await makeSrpm(3_000_001);
  const build = await upload(path);
  const sha256 = createHash("sha256")
    .update(await readFile(path))
    .digest("hex");
  expect(server.uploads).toEqual([{ name: "demo-1.0-1.src.rpm", sizeBytes: 3_000_001, sha256 }]);
  expect(server.builds.get(build.id)?.request).toMatchObject({
    ownername: "tester",
    projectname: "demo",
    enable_net: false,
  });
  expect(notes).toContain("uploading demo-1.0-1.src.rpm: 100% of 3.0 MB");
});

test("an upload that breaks off in the middle is sent again, and builds once", async () => {
  await makeProject();
  addFault(server, { on: "POST /build/create/upload", times: 1, kind: "reset" });
  const build = await upload(await makeSrpm(5_000_000));
  expect([...server.builds.keys()]).toEqual([build.id]);
  expect(server.uploads).toHaveLength(1);
  expect(notes.some((it) => it.endsWith("sending it again"))).toBe(true);
});

test("an upload whose answer is lost is found, not sent again", async () => {
  await makeProject();
  addBuild(server, { project: "tester/demo", chroots: [], request: {}, submitter: "tester" });
  addFault(server, { on: "POST /build/create/upload", times: 1, kind: "lost-answer" });
  const build = await upload(await makeSrpm(1000));
  expect(build.id).toBe(1002);
  expect(server.uploads).toHaveLength(1);
});

test("an upload that an impatient server refuses is not sent again", async () => {
  await makeProject();
  const kind = { status: 429, body: "{}", headers: { "retry-after": "3600" } };
  addFault(server, { on: "POST /build/create/upload", times: 99, kind });
  expect((await fails(upload(await makeSrpm(1000)))).status).toBe(4);
  expect(server.faults[0]?.hit).toBe(1);
});

test("an upload that a proxy gives up, but the server finishes, makes no second build", async () => {
  await makeProject();
  const kind = { status: 504, body: GATEWAY_TIMEOUT };
  addFault(server, { on: "POST /build/create/upload", times: 1, kind });
  copr = {
    ...copr,
    clock: {
      ...clock,
      pause: async (milliseconds, signal) => {
        await clock.pause(milliseconds, signal);
        addBuild(server, { project: "tester/demo", chroots: [], request: {}, submitter: "tester" });
      },
    },
  };
  expect((await upload(await makeSrpm(1000))).id).toBe(1001);
  expect(server.builds.size).toBe(1);
});

test("an upload that always breaks off is status 4", async () => {
  await makeProject();
  addFault(server, { on: "POST /build/create/upload", times: 99, kind: "reset" });
  expect((await fails(upload(await makeSrpm(1_000_000)))).status).toBe(4);
  expect(server.builds.size).toBe(0);
});

test("a build that the server would refuse is refused before the upload", async () => {
  await makeProject();
  const path = await makeSrpm(1000);
  const error = await fails(
    startBuild(copr, FILE, {
      source: { kind: "srpm", path },
      chroots: ["fedora-43-x86_64"],
      isBackground: false,
      terminal: TERMINAL,
    }),
  );
  expect(error.text).toContain("Chroot fedora-43-x86_64 is not enabled");
  expect(server.seen.some((it) => it.path === "/build/create/upload")).toBe(false);
});

async function startedBuild(): Promise<number> {
  await makeProject();
  const source = { kind: "package" } as const;
  const it = { source, chroots: [], isBackground: false, terminal: TERMINAL };
  return (await startBuild(copr, FILE, it)).id;
}

test("watching reports every change once, although states occur twice", async () => {
  const id = await startedBuild();
  notes.length = 0;
  requireSuccess(await watchBuild(copr, id, { terminal: TERMINAL }));
  expect(notes.map((it) => it.slice(9))).toEqual([
    `build ${id}: waiting for a builder for the source RPM`,
    "fedora-rawhide-aarch64: waiting",
    "fedora-rawhide-x86_64: waiting",
    `build ${id}: building the source RPM`,
    `build ${id}: importing the source RPM`,
    "fedora-rawhide-aarch64: pending",
    "fedora-rawhide-x86_64: pending",
    `build ${id}: waiting for builders`,
    "fedora-rawhide-aarch64: starting",
    `build ${id}: building`,
    "fedora-rawhide-aarch64: running",
    "fedora-rawhide-x86_64: starting",
    "fedora-rawhide-aarch64: succeeded",
    "fedora-rawhide-x86_64: running",
    "fedora-rawhide-x86_64: succeeded",
    `build ${id}: succeeded`,
  ]);
});

test("an upload begins without chroots, and is watched like any other", async () => {
  await makeProject();
  const { id, chroots } = await upload(await makeSrpm(1000));
  expect(chroots).toEqual([]);
  notes.length = 0;
  requireSuccess(await watchBuild(copr, id, { terminal: TERMINAL }));
  expect(notes.map((it) => it.slice(9))).toEqual([
    `build ${id}: waiting for a builder for the source RPM`,
    `build ${id}: building the source RPM`,
    "fedora-rawhide-aarch64: waiting",
    "fedora-rawhide-x86_64: waiting",
    `build ${id}: importing the source RPM`,
    "fedora-rawhide-aarch64: pending",
    "fedora-rawhide-x86_64: pending",
    `build ${id}: waiting for builders`,
    "fedora-rawhide-aarch64: starting",
    `build ${id}: building`,
    "fedora-rawhide-aarch64: running",
    "fedora-rawhide-x86_64: starting",
    "fedora-rawhide-aarch64: succeeded",
    "fedora-rawhide-x86_64: running",
    "fedora-rawhide-x86_64: succeeded",
    `build ${id}: succeeded`,
  ]);
});

test("the server is not asked for a source build that it fails to describe", async () => {
  const id = await startedBuild();
  for (;;) {
    const { state } = (await readProgress(copr, id)).build;
    await listLogPlaces(copr, await getBuild(copr, id));
    if (state === "succeeded") break;
  }
  requireSuccess(await watchBuild(copr, await startedBuild(), { terminal: TERMINAL }));
  const stuck = server.builds.get(await startedBuild());
  for (const frame of stuck?.frames.filter((it) => /pending|starting/.test(it.source)) ?? []) {
    if (stuck === undefined) break;
    Object.assign(stuck, { frames: [frame], at: 0 });
    await readProgress(copr, stuck.id);
    await listLogPlaces(copr, await getBuild(copr, stuck.id));
  }
  const canceled = await startedBuild();
  await cancelBuild(copr, canceled);
  await watchBuild(copr, canceled, { terminal: TERMINAL });
  expect(server.errorLog).toEqual([]);
});

test("the log of a source RPM is available from the start of its build, and while builders are awaited", async () => {
  const id = await startedBuild();
  const urls = new Map<string, Set<string | undefined>>();
  for (;;) {
    const build = await getBuild(copr, id);
    const [source] = await listLogPlaces(copr, build);
    const seen = urls.get(build.state) ?? new Set();
    urls.set(build.state, seen.add(source?.resultUrl));
    if (build.state === "succeeded") break;
  }
  const url = `${server.url}/results/${id}/source/`;
  expect(urls.get("running")).toEqual(new Set([url]));
  expect(urls.get("pending")).toContain(url);
});

test("polling is polite: every 10 s for a minute, then every 30 s", async () => {
  server.outcome = "never-ends";
  const id = await startedBuild();
  await fails(watchBuild(copr, id, { terminal: TERMINAL, timeLimitMs: 120_000 }));
  expect(clock.pauses).toEqual([...Array(6).fill(10_000), 30_000, 30_000]);
});

test("a chroot that fails ends with the tail of its log", async () => {
  server.outcome = "failed-chroot";
  const id = await startedBuild();
  const progress = await watchBuild(copr, id, { terminal: TERMINAL });
  // Shown once, while the other chroot still runs.
  const end = notes.indexOf("the end of fedora-rawhide-aarch64: failed");
  expect(notes[end - 1]).toBe("compiling");
  expect(notes.slice(end + 1).map((it) => it.slice(9))).toEqual([
    "fedora-rawhide-x86_64: succeeded",
    `build ${id}: failed`,
  ]);
  expect(notes.some((it) => it.includes("fedora-rawhide-x86_64: the last lines"))).toBe(false);
  expect(() => requireSuccess(progress)).toThrow(`build ${id} failed in fedora-rawhide-aarch64`);
});

test("a log that cannot be fetched does not hide the failure of the build", async () => {
  server.outcome = "failed-chroot";
  const id = await startedBuild();
  addFault(server, { on: "GET /results/", times: 999, kind: { status: 503, body: "" } });
  const progress = await watchBuild(copr, id, { terminal: TERMINAL });
  expect(() => requireSuccess(progress)).toThrow(`build ${id} failed in fedora-rawhide-aarch64`);
  expect(
    notes.filter((it) => /^fedora-rawhide-aarch64: no log: .* answered 503$/.test(it)),
  ).toHaveLength(1);
});

test("a failed source RPM is distinguished from failed chroots", async () => {
  server.outcome = "failed-source";
  const id = await startedBuild();
  const progress = await watchBuild(copr, id, { terminal: TERMINAL });
  expect(notes.slice(-4).map((it) => it.replace(/^\d\d:\d\d:\d\d /, ""))).toEqual([
    "the end of source: failed",
    `build ${id}: failed`,
    "fedora-rawhide-aarch64: canceled",
    "fedora-rawhide-x86_64: canceled",
  ]);
  expect(() => requireSuccess(progress)).toThrow(`build ${id} failed in the source RPM`);
});

test("an unknown state is an error", async () => {
  server.outcome = "unknown-state";
  const id = await startedBuild();
  const error = await fails(watchBuild(copr, id, { terminal: TERMINAL, timeLimitMs: 60_000_000 }));
  expect(error).toMatchObject({
    status: 4,
    text: expect.stringMatching(/reports the unknown state `unknown`/),
  });
});

test("a build that never ends: status 10 at the time limit, and how to come back", async () => {
  server.outcome = "never-ends";
  const id = await startedBuild();
  const error = await fails(watchBuild(copr, id, { terminal: TERMINAL, timeLimitMs: 3_600_000 }));
  expect(error.status).toBe(10);
  expect(error.text).toMatch(
    /continues: not over after 60 min\nhint: watch it again with: .* copr watch 1001/,
  );
});

test("the time limit also ends the wait for a failing server", async () => {
  const id = await startedBuild();
  const kind = { status: 429, body: "{}", headers: { "retry-after": "600" } };
  addFault(server, { on: `GET /build/${id}`, after: 3, times: 9999, kind });
  const error = await fails(watchBuild(copr, id, { terminal: TERMINAL, timeLimitMs: 120_000 }));
  expect(error).toMatchObject({ status: 10, text: expect.stringMatching(/copr watch 1001/) });
  expect(clock.pauses.reduce((sum, it) => sum + it, 0)).toBe(120_000);
});

test("a start whose answer is lost is not repeated, and the error says what is unknown", async () => {
  await makeProject();
  addFault(server, { on: "POST /package/build", times: 1, kind: "lost-answer" });
  const source = { kind: "package" } as const;
  const it = { source, chroots: [], isBackground: false, terminal: TERMINAL };
  const error = await fails(startBuild(copr, FILE, it));
  expect(error.status).toBe(4);
  expect(error.text).toMatch(
    /the build may have been started or not\nhint: before you start it again, look .* copr status/,
  );
  expect(server.builds.size).toBe(1);
});

test("the error of an interrupted start says what is unknown", async () => {
  await makeProject();
  addFault(server, { on: "POST /package/build", times: 1, kind: "silence" });
  const source = { kind: "package" } as const;
  const it = { source, chroots: [], isBackground: false, terminal: TERMINAL };
  const started = startBuild(copr, FILE, it);
  await expect.poll(() => server.builds.size).toBe(1);
  interrupt.abort(new BootcError("interrupted"));
  expect((await fails(started)).text).toMatch(
    /^interrupted: the build may have been started or not\nhint: before you start it again, look .* copr status/,
  );
});

test("an interruption leaves the build running and says how to come back", async () => {
  server.outcome = "never-ends";
  const id = await startedBuild();
  const watching = watchBuild(
    {
      ...copr,
      note: (line) => line.endsWith(": building") && interrupt.abort(new Error("Ctrl-C")),
    },
    id,
    { terminal: TERMINAL },
  );
  const error = await fails(watching);
  expect(error).toMatchObject({ status: 10, text: expect.stringMatching(/copr watch 1001/) });
  expect(server.seen.some((it) => it.path.startsWith("/build/cancel"))).toBe(false);
});

test("an outage of some minutes does not end the watch", async () => {
  const id = await startedBuild();
  addFault(server, {
    on: `GET /build/${id}`,
    after: 3,
    times: 12,
    kind: { status: 504, body: "<html>" },
  });
  requireSuccess(await watchBuild(copr, id, { terminal: TERMINAL }));
  expect(notes.some((it) => it.endsWith("still watching"))).toBe(true);
});

test("a server that demands a wait of an hour is not asked every half minute", async () => {
  const id = await startedBuild();
  const kind = { status: 429, body: "{}", headers: { "retry-after": "3600" } };
  addFault(server, { on: `GET /build/${id}`, after: 3, times: 9999, kind });
  const error = await fails(watchBuild(copr, id, { terminal: TERMINAL }));
  expect(error).toMatchObject({ status: 4, text: expect.stringMatching(/for 60 minutes/) });
  expect(server.faults[0]?.hit).toBe(1);
});

test("a long outage ends the watch, with status 4", async () => {
  const id = await startedBuild();
  addFault(server, {
    on: `GET /build/${id}`,
    after: 3,
    times: 9999,
    kind: { status: 503, body: "" },
  });
  expect((await fails(watchBuild(copr, id, { terminal: TERMINAL }))).status).toBe(4);
});

test("on a terminal the table is redrawn in place, and is not wider than the terminal", async () => {
  const id = await startedBuild();
  notes.length = 0;
  const terminal = { ...TERMINAL, isStderrTerminal: true, hasColor: true, columns: 40 };
  await watchBuild(copr, id, { terminal });
  const last = notes.at(-1)?.split("\n") ?? [];
  expect(last[0]).toBe(`\u001b[4A\u001b[Jbuild ${id}: bootc 2.0.0-1: succeeded, 2`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what colour is made of.
  const plain = last.map((it) => it.replaceAll(/\u001b\[[0-9;]*[A-Za-z]/g, ""));
  expect(Math.max(...plain.map((it) => it.length))).toBeLessThan(40);
  expect(last[2]).toContain("\u001b[32msucceeded");
});

test("a webhook that answers 200 without building anything is detected", async () => {
  await makeProject();
  const { url } = await rotateWebhook(copr, FILE);
  const elsewhere = { ...FILE, package: { ...FILE.package, committish: "other" } };
  const error = await fails(
    requireTriggeredBuild(copr, FILE, {
      sha: "0".repeat(40),
      trigger: async () => {
        await postPush(copr, url, { file: elsewhere, sha: "0".repeat(40) });
        // Another person's build, started at the same moment.
        const request = { committish: "1".repeat(40) };
        addBuild(server, { project: "tester/demo", chroots: [], request, submitter: "other" });
      },
      timeLimitMs: 60_000,
      intervalMs: 10_000,
    }),
  );
  expect(error.text).toMatch(/no build appeared\nhint: check that the push went to `main`/);
  expect(clock.pauses).toHaveLength(6);
});

test("a working webhook is confirmed by a new build", async () => {
  await makeProject();
  const { url, shown } = await rotateWebhook(copr, FILE);
  expect(shown).toBe(`${server.url}/webhooks/github/500/***/demo/`);
  const build = await requireTriggeredBuild(copr, FILE, {
    sha: "0".repeat(40),
    trigger: () => postPush(copr, url, { file: FILE, sha: "0".repeat(40) }),
    timeLimitMs: 60_000,
    intervalMs: 10_000,
  });
  expect(server.builds.get(build.id)?.request).toMatchObject({ webhook: true });
});

test.each(["", ".", "rpm", "./rpm/", "/rpm", "packaging/rpm"])(
  "a push is reported with a file below the package's folder %j, which the server asks for",
  async (subdirectory) => {
    const file = { ...FILE, package: { ...FILE.package, subdirectory } };
    await makeProject(file);
    const { url } = await rotateWebhook(copr, file);
    const sha = "e".repeat(40);
    const build = await requireTriggeredBuild(copr, file, {
      sha,
      trigger: () => postPush(copr, url, { file, sha }),
      timeLimitMs: 60_000,
      intervalMs: 10_000,
    });
    expect(server.builds.get(build.id)?.request).toMatchObject({ subdirectory, committish: sha });
  },
);

test.each(["main", "heads/main", "refs/heads/main"])(
  "a push is reported to the branch that the committish %s means",
  async (committish) => {
    const file = { ...FILE, package: { ...FILE.package, committish } };
    await makeProject(file);
    const { url } = await rotateWebhook(copr, file);
    await postPush(copr, url, { file, sha: "e".repeat(40) });
    expect(server.seen.at(-1)?.json).toMatchObject({ ref: "refs/heads/main" });
    expect(server.builds.size).toBe(1);
  },
);

test("the server's own objections to homepage and contact are quoted", async () => {
  const file = { ...FILE, homepage: "https://localhost/", contact: "me@localhost" };
  expect(await fails(makeProject(file))).toEqual({
    status: 1,
    text: expect.stringMatching(/\(400\): homepage: Invalid URL.; contact: Contact must be email/),
  });
});

test("a missing project is status 1, with the command that makes it", async () => {
  const path = await makeSrpm(10);
  for (const work of [
    () => listBuilds(copr, { ...PROJECT, limit: 1 }),
    () => getMonitor(copr, PROJECT),
    () => rotateWebhook(copr, FILE),
    () => upload(path),
  ]) {
    const error = await fails(work());
    expect(error).toMatchObject({ status: 1, text: expect.stringMatching(/\nhint: .*copr apply/) });
  }
});

test.each([
  [404, 1, /hint: .*copr apply.*copr webhook --rotate/],
  [400, 1, /the webhook answered 400$/],
  [502, 4, /the webhook answered 502$/],
])("a webhook that answers %i ends with status %i", async (status, want, text) => {
  await makeProject();
  const { url } = await rotateWebhook(copr, FILE);
  addFault(server, { on: "POST /webhooks/github/", times: 9, kind: { status, body: "" } });
  const error = await fails(postPush(copr, url, { file: FILE, sha: "0".repeat(40) }));
  expect(error).toMatchObject({ status: want, text: expect.stringMatching(text) });
});

test("an address whose secret was renewed is refused, status 5", async () => {
  await makeProject();
  const { url } = await rotateWebhook(copr, FILE);
  await rotateWebhook(copr, FILE);
  const error = await fails(postPush(copr, url, { file: FILE, sha: "0".repeat(40) }));
  expect(error).toMatchObject({ status: 5, text: expect.stringMatching(/--rotate/) });
});

test("the stand-in offers every chroot of the repository's own project", async () => {
  const text = await readFile(join(import.meta.dirname, "../../copr/project.json"), "utf8");
  const { chroots } = JSON.parse(text) as { chroots: string[] };
  expect(chroots.filter((it) => !CHROOTS.includes(it))).toEqual([]);
});
