import { closeSync, mkdirSync, writeFileSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { BootcError } from "../../errors.ts";
import type { Verification } from "../../image/reference.ts";
import { openPacketPair } from "../../native/packets.ts";
import { blobRef, imageRef } from "../../ostree/ref-names.ts";
import { EMPTY_COMMIT } from "../../testing/empty-commit.ts";
import { type ScriptLine, scriptedContext } from "../../testing/scripted-context.ts";
import {
  type FileRepository,
  type ImageTexts,
  makeFileRepository,
  makeImage,
  makeLayer,
} from "../../testing/stored-image.ts";
import {
  decideKind,
  describePlan,
  missingLayers,
  type PullPlan,
  planAgain,
  plannedImage,
  planPull,
  sumMissing,
} from "./plan.ts";

const OS = { transport: "registry", name: "quay.io/example/os:latest" } as const;
const REF = imageRef("docker://quay.io/example/os:latest");
const A = makeLayer("a");
const B = makeLayer("b");
const IMAGE = makeImage([A, B]);
/** The same configuration in another manifest. */
const PUSHED_ANEW = makeImage([A, B], { annotation: "pushed anew" });
const NEWER = makeImage([A, makeLayer("c")]);

const inspected = (manifestDigest: string, configDigest: string) => ({
  manifestDigest,
  manifest: {
    schemaVersion: 2,
    config: { mediaType: "", digest: configDigest, size: 0 },
    layers: [],
  } as const,
});

test.each([
  { stored: undefined, kind: "none", decided: "fetch" },
  { stored: undefined, kind: "policy", decided: "fetch" },
  { stored: inspected("m1", "c1"), kind: "none", decided: "unchanged" },
  { stored: inspected("m1", "c1"), kind: "policy", decided: "judge-again" },
  { stored: inspected("m2", "c1"), kind: "none", decided: "unchanged" },
  { stored: inspected("m2", "c1"), kind: "policy", decided: "judge-again" },
  { stored: inspected("m1", "c2"), kind: "none", decided: "unchanged" },
  { stored: inspected("m2", "c2"), kind: "none", decided: "fetch" },
  { stored: inspected("m2", "c2"), kind: "policy", decided: "fetch" },
] as const)(
  "what is stored as $stored.manifestDigest with $stored.manifest.config.digest and verified by $kind: $decided",
  ({ stored, kind, decided }) => {
    expect(decideKind({ verification: { kind } }, stored, inspected("m1", "c1"))).toBe(decided);
  },
);

test("an ostree remote vouches for what is stored without a copy", () => {
  const verification = { kind: "remote", remote: "r" } as const;
  const image = inspected("m1", "c1");
  expect(decideKind({ verification }, image, image)).toBe("unchanged");
});

const INSPECT = "? skopeo inspect --raw --no-creds docker://quay.io/example/os:latest";
const INSPECT_CONFIG = INSPECT.replace("--raw", "--config --raw");

type Question = "manifest" | "config" | "pinned config";

interface Offer {
  readonly served: ImageTexts;
  readonly questions?: readonly Question[];
  readonly verification?: Verification;
  readonly requiresBootable?: boolean;
}

/** Plans a pull from a registry that serves this, and is asked nothing but `questions`. */
async function plan(
  { repo }: FileRepository,
  {
    served,
    questions = ["manifest"],
    verification = { kind: "none" },
    requiresBootable = false,
  }: Offer,
): Promise<PullPlan> {
  const policy = join(repo, "policy.json");
  await writeFile(policy, '{"default": [{"type": "reject"}]}');
  const lines: Readonly<Record<Question, ScriptLine>> = {
    manifest: [INSPECT, served.manifest],
    config: [INSPECT_CONFIG, served.config],
    "pinned config": [
      INSPECT_CONFIG.replace(":latest", `@${served.manifestDigest}`),
      served.config,
    ],
  };
  const script = questions.map((it) => lines[it]);
  const { ctx, requireAllUsed } = scriptedContext(repo, script, {
    env: { CONTAINERS_POLICY_JSON: policy },
  });
  const reference = { image: OS, verification };
  const planned = await planPull(ctx, { repo, reference, requiresBootable });
  requireAllUsed();
  return planned;
}

test("an image that is new is to be fetched, but for the layers that are there", async () => {
  const at = await makeFileRepository();
  await at.setRef(blobRef(A.digest), EMPTY_COMMIT);
  const planned = await plan(at, { served: IMAGE, questions: ["config", "manifest"] });
  expect(planned).toMatchObject({ kind: "fetch", stored: undefined });
  expect(plannedImage(planned).manifestDigest).toBe(IMAGE.manifestDigest);
  expect(missingLayers(planned)).toMatchObject([{ digest: B.digest, kind: "derived" }]);
  expect(describePlan(planned)).toBe("layers already present: 1; layers needed: 1 (100 bytes)");
});

test("an image in place of an older one knows that one; its configuration is asked for by digest", async () => {
  const at = await makeFileRepository();
  const commit = await at.store(OS, IMAGE);
  const planned = await plan(at, { served: NEWER, questions: ["manifest", "pinned config"] });
  expect(planned).toMatchObject({ kind: "fetch", stored: { commit } });
  expect(plannedImage(planned).manifestDigest).toBe(NEWER.manifestDigest);
});

test.runIf(hasPackets())(
  "the registry is asked before the repository is read, which takes as long",
  async () => {
    const { repo } = await makeFileRepository();
    const policy = join(repo, "policy.json");
    await writeFile(policy, '{"default": [{"type": "insecureAcceptAnything"}]}');
    const { ctx } = scriptedContext(repo, [], { env: { CONTAINERS_POLICY_JSON: policy } });
    const read = async () => {
      // What is read from here on is damaged.
      mkdirSync(dirname(join(repo, "refs/heads", REF)), { recursive: true });
      writeFileSync(join(repo, "refs/heads", REF), "damaged");
      throw new BootcError("no skopeo");
    };
    const reference = { image: OS, verification: { kind: "none" } } as const;
    const planned = planPull({ ...ctx, read }, { repo, reference, requiresBootable: false });
    await expect(planned).rejects.toThrow("is damaged");
  },
);

test.each([
  { what: "the same manifest", served: IMAGE },
  { what: "another manifest of the same configuration", served: PUSHED_ANEW },
])("$what leaves the stored image as it is", async ({ served }) => {
  const at = await makeFileRepository();
  const commit = await at.store(OS, IMAGE);
  const planned = await plan(at, { served });
  expect(planned).toMatchObject({
    kind: "unchanged",
    stored: { commit },
    offered: { manifestDigest: served.manifestDigest },
  });
  expect(plannedImage(planned).manifestDigest).toBe(IMAGE.manifestDigest);
  expect(describePlan(planned)).toBeUndefined();
});

test("a policy judges the stored image again", async () => {
  const at = await makeFileRepository();
  const commit = await at.store(OS, IMAGE);
  const planned = await plan(at, { served: PUSHED_ANEW, verification: { kind: "policy" } });
  expect(planned).toMatchObject({ kind: "judge-again", stored: { commit } });
});

test("a stored image that lost a layer is fetched", async () => {
  const at = await makeFileRepository();
  await at.store(OS, IMAGE);
  await rm(join(at.repo, "refs/heads", blobRef(B.digest)));
  const planned = await plan(at, { served: IMAGE, questions: ["config", "manifest"] });
  expect(planned.kind).toBe("fetch");
  expect(missingLayers(planned).map((it) => it.digest)).toEqual([B.digest]);
});

test("the keys of an ostree remote cannot vouch for layers on top of a commit", async () => {
  const at = await makeFileRepository();
  const questions = ["config", "manifest"] as const;
  const verification = { kind: "remote", remote: "r" } as const;
  const planned = plan(at, { served: IMAGE, questions, verification });
  await expect(planned).rejects.toMatchObject({ kind: "policy" });
});

test("what another writer stored before the lock was had is not fetched again", async () => {
  const at = await makeFileRepository();
  const early = await plan(at, { served: IMAGE, questions: ["config", "manifest"] });
  expect(early.kind).toBe("fetch");
  const commit = await at.store(OS, IMAGE);
  expect(await planAgain(early)).toMatchObject({ kind: "unchanged", stored: { commit } });
});

test("under a policy, what another writer stored is judged as well", async () => {
  const at = await makeFileRepository();
  const early = await plan(at, {
    served: IMAGE,
    questions: ["config", "manifest"],
    verification: { kind: "policy" },
  });
  await at.store(OS, IMAGE);
  expect((await planAgain(early)).kind).toBe("judge-again");
});

test("an image that another writer removed before the lock was had is fetched", async () => {
  const at = await makeFileRepository();
  await at.store(OS, IMAGE);
  const early = await plan(at, { served: IMAGE });
  expect(early.kind).toBe("unchanged");
  await rm(join(at.repo, "refs/heads", REF));
  const planned = await planAgain(early);
  expect(planned).toMatchObject({ kind: "fetch", stored: undefined });
  expect(missingLayers(planned)).toEqual([]);
});

test("a layer that the manifest names twice is fetched once", () => {
  const missing = { kind: "derived", ...A, commit: undefined } as const;
  const layers = [missing, { ...missing, ...B, commit: EMPTY_COMMIT }, missing];
  expect(missingLayers({ layers })).toEqual([missing]);
  expect(sumMissing({ layers })).toBe(100);
});

/** An image that no disk of today has room for. */
const HUGE = makeImage([A, { ...B, sizeBytes: 999e12 }]);
const NO_ROOM = /^Insufficient free space for docker:\S+ \(available: .+ required: 999\.0 TB\)$/;

test.each([
  { what: "lacks the bootable label", served: HUGE },
  { what: "has a damaged configuration", served: { ...HUGE, config: "{}" }, isPinned: true },
  {
    what: "has a configuration of other layers",
    served: { ...HUGE, ...withConfigOf(makeImage([A]), HUGE) },
  },
])("an image that cannot fit and $what is refused for the room", async ({ served, isPinned }) => {
  const at = await makeFileRepository();
  const questions: readonly Question[] = isPinned
    ? ["config", "manifest", "pinned config"]
    : ["config", "manifest"];
  await expect(plan(at, { served, questions, requiresBootable: true })).rejects.toMatchObject({
    kind: "space",
    message: expect.stringMatching(NO_ROOM),
  });
});

test("layers that are here need no room", async () => {
  const at = await makeFileRepository();
  await at.setRef(blobRef(B.digest), EMPTY_COMMIT);
  await expect(
    plan(at, { served: HUGE, questions: ["config", "manifest"], requiresBootable: true }),
  ).rejects.toThrow("Target image does not have ostree.bootable label");
});

/** The manifest of `image` with the configuration of `other`. */
function withConfigOf(other: ImageTexts, image: ImageTexts) {
  const manifest = JSON.parse(image.manifest);
  const config = JSON.parse(other.manifest).config;
  return { config: other.config, manifest: JSON.stringify({ ...manifest, config }) };
}

/** Whether the image proxy can be spoken to. */
function hasPackets(): boolean {
  const pair = openPacketPair();
  if (pair === undefined) return false;
  pair.ours.close();
  closeSync(pair.theirs);
  return true;
}
