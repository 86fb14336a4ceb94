import { access, readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { BootcError } from "../../errors.ts";
import { PROTECTIVE_PREFIX, pendingRef } from "../../ostree/ref-names.ts";
import { planPull } from "../../pull/plan/plan.ts";
import { pullImage } from "../../pull/pull.ts";
import type { Context } from "../../system/context.ts";
import { emptyLayer, type FakePull, makeFakePull } from "../../testing/fake-pull.ts";
import { makeImage } from "../../testing/stored-image.ts";
import { readRef } from "../files.ts";
import { removeKilledRuns } from "./leftovers.ts";
import { listUnnamedImageRefs } from "./unnamed-files.ts";

const OS = { transport: "registry", name: "quay.io/example/os:latest" } as const;
const [A, FOREIGN] = [emptyLayer(0), emptyLayer(9)];

async function planned({ ctx, repo }: FakePull) {
  const reference = { image: OS, verification: { kind: "none" } } as const;
  return await planPull(ctx, { repo, reference, requiresBootable: false });
}

/** A repository with an image that is whole, and a pull that finds it so and cleans up. */
async function makeBed() {
  const bed = await makeFakePull();
  bed.serve(makeImage([A]));
  const { commit } = await pullImage(bed.ctx, await planned(bed));
  bed.commands.length = 0;
  const clean = async (over: Partial<Context> = {}) => {
    const plan = await planned(bed);
    bed.commands.length = 0;
    return await pullImage({ ...bed.ctx, ...over }, plan);
  };
  return { ...bed, commit, clean };
}

type Bed = Awaited<ReturnType<typeof makeBed>>;

test("where nothing is left nobody waits for the lock", async () => {
  const { clean, commands } = await makeBed();
  await clean();
  expect(commands).toEqual([]);
});

test("what a killed run left of this image goes, and that of another one stays", async () => {
  const { repo, write, setRef, commit, clean } = await makeBed();
  await write("extensions/bootc/fetch-killed/oci-put-blob1", "half");
  await write("tmp/bootc-pull-killed/spool", "half");
  await setRef(pendingRef(A.digest), commit);
  await setRef(pendingRef(FOREIGN.digest), commit);
  await clean();
  expect(await readdir(join(repo, "tmp"))).toEqual([]);
  expect((await readdir(join(repo, "extensions/bootc"))).sort()).toEqual(["blobs", "lock"]);
  expect(await readRef(repo, pendingRef(A.digest))).toBeUndefined();
  expect(await readRef(repo, pendingRef(FOREIGN.digest))).toBe(commit);
});

test.each([
  {
    what: "a layer without a name",
    leave: async ({ setRef, commit }: Bed) => setRef("bootc-pull/unverified/tmp.aB3dE9", commit),
  },
  {
    what: "an image without a name",
    leave: async ({ setRef, commit }: Bed) => setRef("ostree/container/image/tmp.aB3dE9", commit),
  },
  {
    what: "a layer that waits",
    leave: async ({ setRef, commit }: Bed) => setRef(pendingRef(A.digest), commit),
  },
  { what: "a directory", leave: async ({ write }: Bed) => write("tmp/bootc-pull-failed/x", "") },
])("what a run left that failed after its last step goes: $what", async ({ leave }) => {
  const bed = await makeBed();
  await leave(bed);
  await bed.clean();
  expect(await readRef(bed.repo, pendingRef(A.digest))).toBeUndefined();
  expect(await readdir(join(bed.repo, "tmp"))).toEqual([]);
  expect(await listUnnamedImageRefs(bed.repo)).toEqual([]);
});

test("what a killed run protected is no longer protected", async () => {
  const { repo, setRef, commit, clean } = await makeBed();
  await setRef(`${PROTECTIVE_PREFIX}/killed`, commit);
  await clean();
  expect(await readRef(repo, `${PROTECTIVE_PREFIX}/killed`)).toBeUndefined();
});

test("what killed runs protected goes without a plan as well, and nobody waits where there is nothing", async () => {
  const { ctx, repo, setRef, commit, commands } = await makeBed();
  await setRef(`${PROTECTIVE_PREFIX}/killed`, commit);
  await removeKilledRuns({ ...ctx, ...failing("busy") }, repo);
  expect(await readRef(repo, `${PROTECTIVE_PREFIX}/killed`)).toBe(commit);
  await removeKilledRuns(ctx, repo);
  expect(await readRef(repo, `${PROTECTIVE_PREFIX}/killed`)).toBeUndefined();
  commands.length = 0;
  await removeKilledRuns(ctx, repo);
  expect(commands).toEqual([]);
});

/** flock fails as it does when somebody else has the lock, or otherwise. */
const failing = (kind: "busy" | "failed"): Partial<Context> => ({
  run: () => Promise.reject(new BootcError("no lock", { kind })),
  read: () => Promise.reject(new BootcError("no lock", { kind })),
});

test("what somebody is at work on just now is left to them", async () => {
  const { repo, write, clean } = await makeBed();
  await write("extensions/bootc/fetch-theirs/oci-put-blob1", "half");
  await clean(failing("busy"));
  await expect(access(join(repo, "extensions/bootc/fetch-theirs"))).resolves.toBeUndefined();
});

test("any other failure is not passed over", async () => {
  const { write, clean } = await makeBed();
  await write("extensions/bootc/fetch-killed/oci-put-blob1", "half");
  await expect(clean(failing("failed"))).rejects.toThrow("no lock");
});
