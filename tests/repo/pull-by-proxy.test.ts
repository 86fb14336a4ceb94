// Updates of one layer: one skopeo and one connection bring manifest, configuration and layer.
import { spawn } from "node:child_process";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { isDoorShut, NEEDS_DOOR, testThroughDoor } from "./door.ts";
import { type Fate, PASS, startFaultyProxy } from "./faulty-proxy.ts";
import { createRandom, randomBytes } from "./images/random.ts";
import {
  bootc,
  type Ended,
  makeScratch,
  ostree,
  outliving,
  pullArgs,
  type Scratch,
  type StartOptions,
  skopeo,
  startBootc,
} from "./program.ts";
import { type Registry, startRegistry } from "./registry.ts";
import { leftovers } from "./served-image.ts";
import { type MadeImage, makeTinyImage, makeTinyIndex } from "./tiny-image.ts";

const INSECURE = "--insecure-skip-tls-verification";
const IMPATIENT = ["--stall-timeout", "2", "--give-up-after", "8"];
const SHUT = { BOOTC_WITHOUT_FFI: "1" };
const random = createRandom(1);
const BASE = [{ "/usr/bin/a": "a" }, { "/etc/b": "b" }];
const NEWER = { layers: [...BASE, { "/usr/lib/new": randomBytes(random, 1_000_000) }] };

let scratch: Scratch;
let registry: Registry;
let newer: MadeImage;

beforeAll(async () => {
  scratch = await makeScratch();
  registry = await startRegistry();
  await push("old", { layers: BASE });
  newer = await push("new", NEWER);
});
afterAll(async () => {
  await registry?.stop();
  await scratch?.remove();
});

async function push(tag: string, image: typeof NEWER | { layers: typeof BASE }) {
  const dir = join(scratch.dir, `image-${tag}`);
  await mkdir(dir);
  const made = await makeTinyImage(dir, "os", image);
  copy(`oci:${dir}:os`, tag);
  return made;
}

function copy(from: string, tag: string, ...more: readonly string[]): void {
  skopeo("copy", "-q", from, target(tag), "--dest-tls-verify=false", ...more);
}

function target(tag: string): string {
  return `docker://${registry.address}/os:${tag}`;
}

/** A repository with the old image, in which the pull of the new one under `address` is an update. */
async function makeUpdatable(address = registry.address): Promise<string> {
  const repo = scratch.repo();
  expect(await pull(repo, "old", [], {}, address)).toMatchObject({ status: 0 });
  await registry.requests();
  return repo;
}

async function pull(
  repo: string,
  tag: string,
  more: readonly string[] = [],
  options: StartOptions = {},
  address = registry.address,
): Promise<Ended> {
  const reference = `ostree-unverified-registry:${address}/os:${tag}`;
  return await bootc(pullArgs(repo, reference, INSECURE, "--verbose", ...more), options);
}

/** A program of somebody else's that calls itself a proxy. */
function startStranger(): { stop(): void } {
  const child = spawn("sh", ["-c", "read line", "experimental-image-proxy"], {
    stdio: ["pipe", "ignore", "ignore"],
  });
  return { stop: () => child.stdin.end() };
}

/** What skopeo was asked to do, in order. Which options it has is asked before a copy. */
function questions({ stderr }: Ended): readonly string[] {
  const asked = [...stderr.matchAll(/^[?+] skopeo (?:--\S+ )*(\S+)/gm)].map((it) => it[1] ?? "");
  return asked.filter((it) => it !== "--version");
}

/** With the door shut, the same comes by other questions. */
function expectQuestions(ended: Ended, expected: readonly string[]): void {
  if (!isDoorShut) expect(questions(ended)).toEqual(expected);
}

async function expectUpdated(repo: string, ended: Ended): Promise<void> {
  expect(ended).toMatchObject({ status: 0 });
  const [, commit = ""] = /^Wrote: \S+ => ([0-9a-f]{64})$/m.exec(ended.stdout) ?? [];
  expect(ostree("ls", `--repo=${repo}`, commit, "/usr/lib/new")).toContain(" 1000000 ");
  ostree("fsck", `--repo=${repo}`, "--quiet");
  expect(await leftovers(repo)).toEqual([]);
}

testThroughDoor(
  "an update of one layer takes one skopeo, which asks for each thing once",
  async () => {
    const repo = await makeUpdatable();
    const ended = await pull(repo, "new");
    await expectUpdated(repo, ended);
    expect(questions(ended)).toEqual(["experimental-image-proxy"]);
    const asked = (await registry.requests()).filter((it) => !it.startsWith("GET /v2/ "));
    expect(asked).toHaveLength(3);
    expect(asked[2]).toContain(newer.layerDigests[2]);
  },
);

test("where nothing is new, one skopeo asks for the manifest alone", async () => {
  const repo = await makeUpdatable();
  const ended = await pull(repo, "old");
  expect(ended.stdout).toMatch(/^No changes in /);
  expectQuestions(ended, ["experimental-image-proxy"]);
  expect((await registry.requests()).filter((it) => it.includes("/blobs/"))).toEqual([]);
});

test("more layers than a few come by a copy, several at once", async () => {
  const ended = await pull(scratch.repo(), "new");
  expect(ended).toMatchObject({ status: 0 });
  expectQuestions(ended, ["experimental-image-proxy", "copy"]);
});

test("with the door to the C library shut, skopeo is asked thrice, and the outcome is the same", async () => {
  const repo = await makeUpdatable();
  const shut = await pull(repo, "new", [], { env: SHUT });
  await expectUpdated(repo, shut);
  expect(questions(shut)).toEqual(["inspect", "inspect", "copy"]);
});

testThroughDoor("a skopeo without the proxy is asked as before", async () => {
  const dir = join(scratch.dir, "bin");
  await mkdir(dir);
  const script = `#!/bin/sh
case " $* " in *" experimental-image-proxy "*) echo unknown command >&2; exit 1 ;; esac
PATH=\${PATH#*:} exec skopeo "$@"
`;
  await writeFile(join(dir, "skopeo"), script);
  await chmod(join(dir, "skopeo"), 0o755);
  const repo = await makeUpdatable();
  const env = { PATH: `${dir}:${process.env.PATH ?? ""}` };
  const ended = await pull(repo, "new", [], { env });
  await expectUpdated(repo, ended);
  expect(questions(ended)).toEqual(["experimental-image-proxy", "inspect", "inspect", "copy"]);
});

test("a manifest of Docker's is read as it is served", async () => {
  copy(target("new"), "docker", "--src-tls-verify=false", "--format=v2s2");
  const repo = await makeUpdatable();
  const ended = await pull(repo, "docker");
  await expectUpdated(repo, ended);
  expectQuestions(ended, ["experimental-image-proxy", "inspect", "inspect", "copy"]);
});

test("of an index, this machine's image is taken, and found again", async () => {
  const dir = join(scratch.dir, "index");
  await mkdir(dir);
  await makeTinyIndex(dir, "os", [NEWER, { ...NEWER, architecture: "s390x" }]);
  copy(`oci:${dir}:os`, "index", "--all");
  const repo = await makeUpdatable();
  const ended = await pull(repo, "index");
  await expectUpdated(repo, ended);
  expectQuestions(ended, ["experimental-image-proxy"]);
  expect((await pull(repo, "index")).stdout).toMatch(/^No changes in /);
});

test.each([
  ["signatures are required of", [{ type: "signedBy", keyType: "GPGKeys", keyPath: "/none" }]],
  ["is rejected from", [{ type: "reject" }]],
])("an image that %s its registry is judged by a copy", async (_what, requirements) => {
  const repo = await makeUpdatable();
  const file = join(scratch.dir, "policy.json");
  const policy = {
    default: [{ type: "insecureAcceptAnything" }],
    transports: { docker: { [`${registry.address}/os`]: requirements } },
  };
  await writeFile(file, JSON.stringify(policy));
  const ended = await pull(repo, "new", [], { env: { CONTAINERS_POLICY_JSON: file } });
  expect(ended.status).toBe(7);
  expectQuestions(ended, ["experimental-image-proxy", "copy"]);
  expect((await registry.requests()).join("\n")).not.toContain(newer.layerDigests[2]);
});

/** Updates through a reverse proxy in which the new layer's first requests meet these fates. */
async function updateThrough(fates: Fate[], more: readonly string[] = IMPATIENT) {
  const isLayer = (path: string) => path.endsWith(`/${newer.layerDigests[2]}`);
  const proxy = await startFaultyProxy(registry.address, (path) =>
    isLayer(path) ? (fates.shift() ?? PASS) : PASS,
  );
  try {
    const repo = await makeUpdatable(proxy.address);
    const ended = await pull(repo, "new", more, {}, proxy.address);
    return { repo, ended };
  } finally {
    await proxy.stop();
  }
}

test("a layer that stalls is noticed, and fetched by a copy", async () => {
  const { repo, ended } = await updateThrough([{ kind: "stall", afterBytes: 300_000 }]);
  await expectUpdated(repo, ended);
  expect(ended.stderr).toMatch(/nothing came from `127.0.0.1:\d+` for 2 s; trying again in 500 ms/);
  expectQuestions(ended, ["experimental-image-proxy", "copy"]);
});

test.for<[string, Fate]>([
  ["breaks off", { kind: "cut", afterBytes: 300_000 }],
  ["is refused for a time", { kind: "status", status: 503 }],
  ["comes damaged", { kind: "corrupt" }],
])("a layer that %s is fetched by a copy", async ([_what, fate], { skip }) => {
  // The copy would be the first to get it.
  if (isDoorShut && fate.kind === "corrupt") skip(NEEDS_DOOR);
  const { repo, ended } = await updateThrough([fate], ["--stall-timeout", "60"]);
  await expectUpdated(repo, ended);
  expectQuestions(ended, ["experimental-image-proxy", "copy"]);
});

test("a layer that is damaged each time fails as integrity, and is not kept", async () => {
  const { repo, ended } = await updateThrough(
    Array.from({ length: 9 }, () => ({ kind: "corrupt" })),
  );
  expect(ended).toMatchObject({ status: 6 });
  expect(await leftovers(repo)).toEqual([]);
});

test("interrupted while the layer comes, nothing goes on, and the next run gets there", async () => {
  const { promise: until, resolve: go } = Promise.withResolvers<void>();
  let isHeld = false;
  const proxy = await startFaultyProxy(registry.address, (path) => {
    if (!path.endsWith(`/${newer.layerDigests[2]}`) || isHeld) return PASS;
    isHeld = true;
    return { kind: "hold", until };
  });
  try {
    const repo = await makeUpdatable(proxy.address);
    const reference = `ostree-unverified-registry:${proxy.address}/os:new`;
    const running = startBootc(pullArgs(repo, reference, INSECURE));
    await running.until(() => isHeld);
    running.kill("SIGINT");
    const interrupted = await running.ended;
    expect(interrupted.status).toBe(1);
    expect(interrupted.stderr).toContain(": interrupted\nhint: run it again to carry on");
    expect(await outliving("experimental-image-proxy")).toEqual([]);
    await expectUpdated(repo, await pull(repo, "new", [], {}, proxy.address));
  } finally {
    go();
    await proxy.stop();
  }
});

testThroughDoor("a check for updates ends at once, and so does the proxy", async () => {
  const stranger = startStranger();
  try {
    const repo = await makeUpdatable();
    const ended = await pull(repo, "new", ["--check", join(scratch.dir, "manifest.json")]);
    expect(ended).toMatchObject({ status: 0 });
    expect(questions(ended)).toEqual(["experimental-image-proxy"]);
    expect(await outliving("experimental-image-proxy")).toEqual([]);
  } finally {
    stranger.stop();
  }
});
