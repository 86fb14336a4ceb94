// Publishing on GitHub, tested against the stand-in: drafts, broken uploads, digests, and repetition.
import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BootcError, exitStatusOf } from "../../src/errors.ts";
import { createContext } from "../../src/system/run.ts";
import { connectGitHub, type GitHub } from "../../xtask/release/github.ts";
import { installHook } from "../../xtask/release/hooks.ts";
import {
  describeFile,
  type ReleaseFile,
  readRelease,
  writeManifest,
} from "../../xtask/release/manifest.ts";
import { type Publication, publish } from "../../xtask/release/publish.ts";
import {
  addGitHubFault,
  GITHUB_TOKEN,
  type GitHubServer,
  NAME_TAKEN,
  startGitHubServer,
  UNPACED,
} from "../github-server.ts";
import { createTestClock, type TestClock } from "../test-clock.ts";

const COMMIT = "a".repeat(40);
const TERMINAL = { isStdoutTerminal: false, isStderrTerminal: false, hasColor: false, columns: 80 };
const SECONDARY = JSON.stringify({ message: "You have exceeded a secondary rate limit." });

let server: GitHubServer;
let folder: string;
let notes: string[];
let clock: TestClock;
let github: GitHub;
let files: readonly ReleaseFile[];

beforeEach(async () => {
  server = await startGitHubServer();
  server.tags.set("v2.0.0", COMMIT);
  folder = await mkdtemp(join(tmpdir(), "release-"));
  notes = [];
  clock = createTestClock();
  const env = { GITHUB_TOKEN, GITHUB_API_URL: server.url };
  const ctx = { ...createContext({ env }), note: (line: string) => void notes.push(line) };
  const tree = { ctx, top: folder, mayInstall: false };
  github = await connectGitHub(tree, { owner: "tester", repo: "demo" }, { clock, pace: UNPACED });
  files = await makeFiles();
});

afterEach(async () => {
  await server.close();
  await rm(folder, { recursive: true });
  expect(notes.join("\n")).not.toContain(GITHUB_TOKEN);
  expect(server.leaked).toEqual([]);
});

async function makeFiles(): Promise<readonly ReleaseFile[]> {
  await writeFile(join(folder, "bootc-2.0.0.tar.zst"), Buffer.alloc(1_500_000, "source"));
  await writeFile(join(folder, "bootc-2.0.0-1.src.rpm"), Buffer.alloc(700_000, "srpm"));
  const named = [
    { name: "bootc-2.0.0.tar.zst", about: "source" },
    { name: "bootc-2.0.0-1.src.rpm", about: "source RPM" },
  ];
  const described = await Promise.all(named.map((it) => describeFile(folder, it)));
  await writeManifest(folder, {
    formatVersion: 1,
    version: "2.0.0",
    builtVersion: "2.0.0",
    commit: COMMIT,
    files: described,
  });
  return (await readRelease(folder)).files;
}

const publication = (version = "2.0.0"): Publication => ({
  agreed: { tag: `v${version}`, version, commit: COMMIT, notes: "### Added\n\n- Everything." },
  folder,
  files,
  terminal: TERMINAL,
});

const run = (options = { isDryRun: false }) => publish(github, publication(), options);
const assetNames = () => server.releases[0]?.assets.map((it) => it.name).toSorted();
const uploads = () => server.seen.filter((it) => it.startsWith("UPLOAD"));

function requirePublished(): void {
  expect(server.releases).toHaveLength(1);
  expect(server.releases[0]?.fields).toMatchObject({ draft: false, tag_name: "v2.0.0" });
  for (const file of files) {
    const data = server.releases[0]?.assets.find((it) => it.name === file.name)?.data;
    expect(data && createHash("sha256").update(data).digest("hex")).toBe(file.sha256);
  }
  expect(assetNames()).toEqual(files.map((it) => it.name).toSorted());
}

async function fails(work: Promise<unknown>): Promise<{ status: number; text: string }> {
  const error = (await work.then(
    () => expect.fail("it succeeded"),
    (it: unknown) => it,
  )) as BootcError;
  const text = `${error.message}${error.hint === undefined ? "" : `\nhint: ${error.hint}`}`;
  expect(text).not.toContain(GITHUB_TOKEN);
  return { status: exitStatusOf(error), text };
}

test("a draft, its assets, and then the release", async () => {
  expect(await run()).toBe("https://github.com/tester/demo/releases/tag/v2.0.0");
  requirePublished();
  expect(server.releases[0]?.fields).toMatchObject({
    name: "bootc 2.0.0",
    body: "### Added\n\n- Everything.",
    prerelease: false,
    make_latest: "true",
  });
  expect(server.releases[0]?.assets.map((it) => it.contentType)).toContain("application/x-rpm");
  const order = server.seen.filter((it) => /^(POST|PATCH|UPLOAD)/.test(it));
  expect(order[0]).toBe("POST /repos/tester/demo/releases");
  expect(order.at(-1)).toBe("PATCH /repos/tester/demo/releases/100");
});

test("a release candidate is a prerelease and not the latest", async () => {
  server.tags.set("v2.1.0-rc.1", COMMIT);
  await publish(github, publication("2.1.0-rc.1"), { isDryRun: false });
  expect(server.releases[0]?.fields).toMatchObject({ prerelease: true, make_latest: "false" });
});

test("publishing again changes nothing", async () => {
  await run();
  const before = uploads().length;
  await run();
  requirePublished();
  expect(uploads()).toHaveLength(before);
  expect(notes.at(-1)).toBe("v2.0.0 is already published with exactly these files");
});

test("a published release with other files is an error, and stays as it is", async () => {
  await run();
  const assets = server.releases[0]?.assets ?? [];
  assets.pop();
  const error = await fails(run());
  expect(error).toMatchObject({
    status: 6,
    text: expect.stringMatching(/manifest.json is missing/),
  });
  expect(assets).toHaveLength(files.length - 1);
});

test("--dry-run only looks", async () => {
  await run({ isDryRun: true });
  expect(server.releases).toEqual([]);
  expect(server.seen.every((it) => it.startsWith("GET "))).toBe(true);
  expect(notes).toContain("would create a draft of v2.0.0");
});

test("a run continues the draft of an earlier one, and does not send files again", async () => {
  addGitHubFault(server, {
    on: "UPLOAD SHA256SUMS",
    times: 99,
    kind: { status: 400, body: '{"message":"no"}' },
  });
  await fails(run());
  expect(server.releases[0]?.fields.draft).toBe(true);
  server.faults.length = 0;
  const before = uploads().length;
  await run();
  requirePublished();
  expect(uploads().slice(before)).toEqual(["UPLOAD SHA256SUMS", "UPLOAD manifest.json"]);
});

test("an upload that breaks off leaves a starter, which is removed before the next try", async () => {
  addGitHubFault(server, { on: "UPLOAD bootc-2.0.0.tar.zst", times: 1, kind: "reset" });
  await run();
  requirePublished();
  expect(notes).toContain("bootc-2.0.0.tar.zst: removing what an earlier upload left");
});

test("an upload whose answer is lost is found, not sent again", async () => {
  addGitHubFault(server, { on: "UPLOAD bootc-2.0.0.tar.zst", times: 1, kind: "lost-answer" });
  await run();
  requirePublished();
  expect(uploads().filter((it) => it.endsWith(".tar.zst"))).toHaveLength(1);
});

test("a damaged upload is never published", async () => {
  addGitHubFault(server, { on: "UPLOAD bootc-2.0.0.tar.zst", times: 1, kind: "damage" });
  const error = await fails(run());
  expect(error).toMatchObject({
    status: 6,
    text: expect.stringMatching(/tar.zst has different content/),
  });
  expect(server.releases[0]?.fields.draft).toBe(true);
  await run();
  requirePublished();
});

test("a server without digests is checked by downloading, without the token", async () => {
  server.hasNoDigests = true;
  addGitHubFault(server, { on: "UPLOAD bootc-2.0.0.tar.zst", times: 1, kind: "damage" });
  expect((await fails(run())).status).toBe(6);
  await run();
  requirePublished();
});

test("a name that another asset has is freed", async () => {
  addGitHubFault(server, {
    on: "UPLOAD bootc-2.0.0-1.src.rpm",
    times: 99,
    kind: { status: 400, body: "{}" },
  });
  await fails(run());
  server.faults.length = 0;
  const strange = {
    id: 1,
    name: "bootc-2.0.0-1.src.rpm",
    contentType: "",
    state: "uploaded",
  } as const;
  server.releases[0]?.assets.push({ ...strange, data: Buffer.from("an older build") });
  await run();
  requirePublished();
});

test("a draft with assets that do not belong to it is not published", async () => {
  addGitHubFault(server, { on: "PATCH", times: 1, kind: { status: 400, body: "{}" } });
  await fails(run());
  const strange = { id: 1, name: "surprise.txt", contentType: "", state: "uploaded" } as const;
  server.releases[0]?.assets.push({ ...strange, data: Buffer.from("?") });
  expect((await fails(run())).text).toMatch(/do not belong to it: surprise.txt/);
  expect(server.releases[0]?.fields.draft).toBe(true);
});

test("a secondary rate limit causes a wait, even in the middle of uploads", async () => {
  const kind = { status: 403, body: SECONDARY, headers: { "retry-after": "61" } };
  addGitHubFault(server, { on: "POST /repos/tester/demo/releases", times: 1, kind });
  addGitHubFault(server, { on: "UPLOAD bootc-2.0.0.tar.zst", times: 1, kind });
  await run();
  requirePublished();
  expect(clock.pauses).toEqual([61_000, 61_000]);
});

test("a demand to wait an hour in the middle of uploads ends the run, and the next continues", async () => {
  const kind = { status: 403, body: SECONDARY, headers: { "retry-after": "3600" } };
  addGitHubFault(server, { on: "UPLOAD bootc-2.0.0.tar.zst", times: 1, kind });
  expect(await fails(run())).toMatchObject({
    status: 4,
    text: expect.stringMatching(/60 minutes/),
  });
  expect(clock.pauses).toEqual([]);
  await run();
  requirePublished();
});

test("a name that GitHub calls taken is checked again before it is an error", async () => {
  const kind = { status: 422, body: NAME_TAKEN };
  addGitHubFault(server, { on: "UPLOAD SHA256SUMS", times: 1, kind });
  await run();
  requirePublished();
  addGitHubFault(server, { on: "UPLOAD SHA256SUMS", times: 99, kind });
  server.releases.length = 0;
  expect((await fails(run())).text).toMatch(/SHA256SUMS: GitHub answered 422: .*already_exists/);
});

test("a removal whose answer is lost is not an error", async () => {
  addGitHubFault(server, { on: "UPLOAD bootc-2.0.0.tar.zst", times: 1, kind: "reset" });
  addGitHubFault(server, { on: "DELETE", times: 1, kind: "lost-answer" });
  await run();
  requirePublished();
});

test.each([
  { kind: { status: 401, body: '{"message":"Bad credentials"}' }, want: 5 },
  { kind: { status: 403, body: '{"message":"Resource not accessible by integration"}' }, want: 5 },
  { kind: { status: 404, body: '{"message":"Not Found"}' }, want: 1 },
  {
    kind: { status: 422, body: '{"message":"Validation Failed","errors":[{"code":"x"}]}' },
    want: 1,
  },
  { kind: { status: 500, body: '{"message":"Server Error"}' }, want: 4 },
  { kind: { status: 502, body: "<html>" }, want: 4 },
  { kind: { status: 409, body: '{"message":"Conflict"}' }, want: 1 },
  { kind: { status: 429, body: "{}", headers: { "retry-after": "5" } }, want: 4 },
  { kind: { status: 503, body: '{"message":"Unavailable"}' }, want: 4 },
  { kind: { status: 504, body: "<html>" }, want: 4 },
  { kind: { status: 201, body: '{"id": 1, "upl' }, want: 4 },
  { kind: { status: 200, body: "<html>Welcome</html>" }, want: 4 },
  { kind: "lost-answer" as const, want: 4 },
])("an answer $kind while making the draft ends with status $want", async ({ kind, want }) => {
  addGitHubFault(server, { on: "POST /repos/tester/demo/releases", times: 99, kind });
  expect((await fails(run())).status).toBe(want);
});

test("a draft whose answer was lost is used by the next run, not made twice", async () => {
  addGitHubFault(server, { on: "POST /repos/tester/demo/releases", times: 1, kind: "lost-answer" });
  expect((await fails(run())).status).toBe(4);
  await run();
  requirePublished();
});

test("a list that is not JSON is an error of the network, not a defect of ours", async () => {
  const kind = { status: 200, body: '[{"id": 1' };
  addGitHubFault(server, { on: "GET /repos/tester/demo/releases", times: 99, kind });
  expect(await fails(run())).toMatchObject({
    status: 4,
    text: expect.stringMatching(/not answer with JSON/),
  });
});

test("an interruption while uploading leaves a draft that the next run can complete", async () => {
  const interrupt = new AbortController();
  const note = (line: string) => {
    if (line.startsWith("uploading bootc-2.0.0-1.src.rpm"))
      interrupt.abort(new BootcError("interrupted"));
  };
  const env = { GITHUB_TOKEN, GITHUB_API_URL: server.url };
  const ctx = { ...createContext({ env, signal: interrupt.signal }), note };
  const tree = { ctx, top: folder, mayInstall: false };
  const repository = { owner: "tester", repo: "demo" };
  const interrupted = await connectGitHub(tree, repository, { clock, pace: UNPACED });
  await fails(publish(interrupted, publication(), { isDryRun: false }));
  expect(server.releases[0]?.fields.draft).toBe(true);
  await run();
  requirePublished();
});

test("two drafts of one tag are an error", async () => {
  for (const id of [100, 101]) {
    server.releases.push({ id, fields: { tag_name: "v2.0.0", draft: true }, assets: [] });
  }
  expect((await fails(run())).text).toMatch(/there are 2 drafts for `v2.0.0`/);
});

test("a draft is found among more releases than fit on a page", async () => {
  server.releases.push({ id: 99, fields: { tag_name: "v2.0.0", draft: true }, assets: [] });
  for (let id = 200; id < 330; id += 1) {
    server.releases.push({ id, fields: { tag_name: `v1.0.${id}`, draft: false }, assets: [] });
  }
  await run();
  expect(server.releases.filter((it) => it.fields.tag_name === "v2.0.0")).toHaveLength(1);
});

test.each([
  { tag: undefined, want: "the tag `v2.0.0` is not on GitHub" },
  { tag: "b".repeat(40), want: "is at `bbbbbbbbbb` on GitHub, not at `aaaaaaaaaa`" },
])("a tag on GitHub at $tag is refused", async ({ tag, want }) => {
  server.tags.clear();
  if (tag !== undefined) server.tags.set("v2.0.0", tag);
  expect((await fails(run())).text).toContain(want);
  expect(server.releases).toEqual([]);
});

test("an annotated tag is followed to its commit", async () => {
  server.tags.set("v2.0.0", `tag:${COMMIT}`);
  await run();
  requirePublished();
});

test("files that changed since the build are not published", async () => {
  await writeFile(join(folder, "bootc-2.0.0.tar.zst"), "changed");
  const error = await fails(readRelease(folder));
  expect(error).toMatchObject({
    status: 6,
    text: expect.stringMatching(
      /^changed since the build: `bootc-2.0.0.tar.zst`\nhint: build again/,
    ),
  });
});

test("changed checksums and a missing file are not published", async () => {
  await writeFile(join(folder, "SHA256SUMS"), `${"0".repeat(64)}  bootc-2.0.0.tar.zst\n`);
  expect((await fails(readRelease(folder))).text).toContain(
    "changed since the build: `SHA256SUMS`",
  );
  await rm(join(folder, "bootc-2.0.0.tar.zst"));
  expect(await fails(readRelease(folder))).toMatchObject({
    status: 6,
    text: expect.stringMatching(
      /^missing since the build: `bootc-2.0.0.tar.zst`\nhint: build again/,
    ),
  });
});

test("the webhook is set once, and gets the new address the next time", async () => {
  const prefix = "https://copr.example/webhooks/github/7/";
  expect(await installHook(github, { url: `${prefix}one/`, prefix })).toBe("made");
  expect(await installHook(github, { url: `${prefix}two/`, prefix })).toBe("changed");
  expect(server.hooks).toMatchObject([
    { config: { url: `${prefix}two/`, content_type: "json" }, events: ["push"] },
  ]);
});
