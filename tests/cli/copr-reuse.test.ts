// `build --commit … --reuse`: which builds of a commit are reused.
import { afterEach, beforeEach, expect, test } from "vitest";
import { findBuildOf } from "../../xtask/copr/build/start-build.ts";
import type { Connection } from "../../xtask/copr/connection.ts";
import { parseCredentials } from "../../xtask/copr/credentials.ts";
import { applyChanges, readChanges } from "../../xtask/copr/project/apply.ts";
import type { ProjectFile } from "../../xtask/copr/project/project-file.ts";
import {
  addBuild,
  branchFedora,
  type CoprServer,
  startCoprServer,
  tokenFile,
} from "../copr-server.ts";
import { createTestClock, type TestClock } from "../test-clock.ts";

const FILE: ProjectFile = {
  owner: "tester",
  project: "demo",
  description: "A demonstration",
  chroots: ["fedora-rawhide-aarch64", "fedora-rawhide-x86_64"],
  package: { name: "demo", cloneUrl: "https://example.org/demo.git", committish: "main" },
};

/** What the server is told to build of our package at a commit. */
function sourceAt(committish: string): Readonly<Record<string, string>> {
  return { committish, clone_url: FILE.package.cloneUrl };
}

let server: CoprServer;
let clock: TestClock;
let copr: Connection;

beforeEach(async () => {
  server = await startCoprServer();
  clock = createTestClock();
  copr = {
    url: server.url,
    credentials: parseCredentials(tokenFile(server), "f"),
    clock,
    signal: new AbortController().signal,
    note: () => undefined,
  };
  await applyChanges(copr, FILE, await readChanges(copr, FILE));
});

afterEach(async () => {
  await server.close();
});

test("the webhook's build of a commit is reused", async () => {
  const build = { project: "tester/demo", chroots: FILE.chroots, submitter: null };
  addBuild(server, { ...build, request: sourceAt("b".repeat(40)) });
  const { id } = addBuild(server, { ...build, request: sourceAt("c".repeat(40)) });
  expect((await findBuildOf(copr, FILE, "c".repeat(40)))?.id).toBe(id);
  expect(clock.pauses).toEqual([]);
  // If there is no build yet, the webhook gets some time to start one.
  expect(await findBuildOf(copr, FILE, "d".repeat(40))).toBeUndefined();
  expect(clock.pauses).toEqual([20_000, 20_000]);
});

const [SOME = "", OTHER = ""] = FILE.chroots;

test.each([
  { what: "of some chroots, for one of all", has: [SOME], wants: [], isTaken: false },
  { what: "of all chroots, for one of all", has: [OTHER, SOME], wants: [], isTaken: true },
  { what: "of all chroots, for one of some", has: [OTHER, SOME], wants: [SOME], isTaken: true },
  { what: "of some chroots, for one of these", has: [SOME], wants: [SOME], isTaken: true },
  { what: "of some chroots, for one of others", has: [SOME], wants: [OTHER], isTaken: false },
  { what: "whose chroots are not known yet", has: FILE.chroots, isLate: true, isTaken: true },
  {
    what: "that succeeded without any chroot",
    has: [],
    packageName: "demo",
    isOver: true,
    isTaken: false,
  },
  {
    what: "of an unnamed package from another repository",
    has: FILE.chroots,
    source: { clone_url: "https://example.org/other.git" },
    isTaken: false,
  },
  {
    what: "of an unnamed package in another folder",
    has: FILE.chroots,
    source: { subdirectory: "other" },
    isTaken: false,
  },
  {
    what: "of an unnamed package with another spec file",
    has: FILE.chroots,
    source: { spec: "other.spec" },
    isTaken: false,
  },
  { what: "of another package", has: FILE.chroots, packageName: "other", isTaken: false },
  { what: "of this package", has: FILE.chroots, packageName: "demo", isTaken: true },
])("a build $what is reused: $isTaken", async (it) => {
  const request = { ...sourceAt("c".repeat(40)), ...it.source };
  const { packageName } = it;
  const build = addBuild(server, {
    project: "tester/demo",
    chroots: it.has,
    request,
    submitter: null,
    hasLateChroots: it.isLate === true,
    ...(packageName === undefined ? {} : { packageName }),
  });
  if (it.isOver === true) build.at = build.frames.length - 1;
  const found = await findBuildOf(copr, FILE, "c".repeat(40), it.wants);
  expect(found?.id).toBe(it.isTaken ? build.id : undefined);
});

test("a build from before Fedora branched does not count as one of all chroots", async () => {
  const request = sourceAt("c".repeat(40));
  addBuild(server, { project: "tester/demo", chroots: FILE.chroots, request, submitter: null });
  branchFedora(server, 46);
  expect(await findBuildOf(copr, FILE, "c".repeat(40))).toBeUndefined();
});
