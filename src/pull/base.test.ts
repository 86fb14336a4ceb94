import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Verification } from "../image/reference.ts";
import type { PullEvent } from "../progress/progress.ts";
import { listRefs } from "../repository/files.ts";
import type { Context } from "../system/context.ts";
import { type FakePull, layerOf, makeFakePull } from "../testing/fake-pull.ts";
import { encapsulate, packFile, packObject, tarOfEntries } from "../testing/layer-tar.ts";
import { makeImage } from "../testing/stored-image.ts";
import { pullBase } from "./base.ts";
import { planPull } from "./plan/plan.ts";

const OS = { transport: "registry", name: "quay.io/example/os:latest" } as const;
const FILE = packFile("content");
const BASE = encapsulate({ file: FILE });
const META = Object.values(BASE.objects).map(packObject);
const CHUNK = layerOf(tarOfEntries(...FILE.entries));
const COMMIT = layerOf(tarOfEntries(...META));

/** An image of a chunk and the commit that consists of it. */
const IMAGE = makeImage([COMMIT, CHUNK], {
  labels: { "ostree.commit": BASE.commit, "ostree.final-diffid": CHUNK.diffId },
});

async function pull(
  bed: FakePull,
  more: { readonly ref?: string; readonly verification?: Verification } = {},
) {
  const events: PullEvent[] = [];
  const reference = { image: OS, verification: more.verification ?? { kind: "none" } } as const;
  const plan = await planPull(bed.ctx, { repo: bed.repo, reference, requiresBootable: false });
  bed.commands.length = 0;
  const commit = await pullBase(bed.ctx, plan, {
    ref: more.ref,
    onEvent: (it) => void events.push(it),
  });
  return { commit, events, commands: bed.commands };
}

/** Nothing of the image has a ref. */
async function requireNoRefs({ repo }: FakePull): Promise<void> {
  expect(await listRefs(repo, "")).toEqual([]);
  expect(await readdir(join(repo, "extensions/bootc/blobs/sha256"))).toEqual([]);
}

test("the commit in an image is pulled, and no image is stored", async () => {
  const bed = await makeFakePull();
  bed.serve(IMAGE);
  const { commit, events, commands } = await pull(bed);
  expect(commit).toBe(BASE.commit);
  expect(events[0]).toMatchObject({ type: "planned", manifestDigest: IMAGE.manifestDigest });
  expect(commands).not.toContain("ostree refs");
  await requireNoRefs(bed);
});

test("the ref that is asked for is moved to the commit", async () => {
  const bed = await makeFakePull();
  bed.serve(IMAGE);
  const { commands } = await pull(bed, { ref: "os/base" });
  expect(commands.at(-1)).toBe("ostree refs");
});

test("the keys of a remote vouch for the commit before a ref names it", async () => {
  const bed = await makeFakePull();
  bed.serve(IMAGE);
  const verification = { kind: "remote", remote: "keys" } as const;
  const { commands } = await pull(bed, { ref: "os/base", verification });
  expect(commands.slice(-2)).toEqual(["ostree pull-local --gpg-verify", "ostree refs"]);
});

test("a commit that no key vouches for gets no ref", async () => {
  const bed = await makeFakePull();
  bed.serve(IMAGE);
  const run: Context["run"] = async (program, args) => {
    if (args.includes("--gpg-verify")) throw new Error("no key vouches for it");
    await bed.ctx.run(program, args);
  };
  const verification = { kind: "remote", remote: "keys" } as const;
  const pulling = pull({ ...bed, ctx: { ...bed.ctx, run } }, { ref: "os/base", verification });
  await expect(pulling).rejects.toMatchObject({ cause: { message: "no key vouches for it" } });
  expect(bed.commands).not.toContain("ostree refs");
});

test("of an image that is stored only the commit is given: nothing is fetched or said", async () => {
  const bed = await makeFakePull();
  const stored = makeImage([COMMIT], { labels: { "ostree.final-diffid": COMMIT.diffId } });
  await bed.store(OS, stored);
  bed.serve(stored);
  const { events, commands } = await pull(bed);
  expect(commands).toEqual(["flock", "skopeo copy"]);
  expect(events).toEqual([]);
});
