import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Verification } from "../image/reference.ts";
import { blobRef, imageRef, pendingRef } from "../ostree/ref-names.ts";
import type { PullEvent } from "../progress/progress.ts";
import { listRefs, readRef } from "../repository/files.ts";
import type { Context } from "../system/context.ts";
import { emptyLayer, type FakePull, layerOf, makeFakePull } from "../testing/fake-pull.ts";
import { encapsulate, packObject, tarOfEntries } from "../testing/layer-tar.ts";
import { makeImage } from "../testing/stored-image.ts";
import { planPull } from "./plan/plan.ts";
import { pullImage } from "./pull.ts";
import type { PullOptions } from "./request.ts";

const OS = { transport: "registry", name: "quay.io/example/os:latest" } as const;
const REF = imageRef("docker://quay.io/example/os:latest");
const [A, B, C] = [emptyLayer(0), emptyLayer(1), emptyLayer(2)] as const;
const FIRST = makeImage([A, B]);
const SECOND = makeImage([A, C]);
const nameOf = ({ digest }: { readonly digest: string }) => digest.slice(7, 13);

const planOf = (
  { ctx, repo }: FakePull,
  kind: "none" | "policy" = "none",
  verification: Verification = { kind },
) => planPull(ctx, { repo, reference: { image: OS, verification }, requiresBootable: false });

async function pull(bed: FakePull, kind?: "none" | "policy", options: PullOptions = {}) {
  const plan = await planOf(bed, kind);
  bed.commands.length = 0;
  return await pullImage(bed.ctx, plan, options);
}

/** What a pull leaves behind that ended: the lock, and an empty place for blobs. */
async function requireNothingLeft({ repo }: FakePull): Promise<void> {
  expect(await listRefs(repo, "bootc-pull")).toEqual([]);
  expect(await readdir(join(repo, "tmp"))).toEqual([]);
  expect((await readdir(join(repo, "extensions/bootc"))).sort()).toEqual(["blobs", "lock"]);
  expect(await readdir(join(repo, "extensions/bootc/blobs/sha256"))).toEqual([]);
}

test("a new image is fetched, imported, merged and committed", async () => {
  const bed = await makeFakePull();
  bed.serve(FIRST);
  const events: PullEvent[] = [];
  const pulled = await pull(bed, "none", { onEvent: (it) => void events.push(it) });
  expect(pulled).toMatchObject({ manifestDigest: FIRST.manifestDigest, isUnchanged: false });
  expect(await readRef(bed.repo, REF)).toBe(pulled.commit);
  expect(await listRefs(bed.repo, "ostree/container/blob")).toEqual(
    [blobRef(A.digest), blobRef(B.digest)].sort(),
  );
  expect(bed.commands).toContain(`skopeo copy ${nameOf(A)} ${nameOf(B)}`);
  await requireNothingLeft(bed);
  const course = events.filter((it) => it.type !== "fetched-bytes");
  expect(course[0]).toMatchObject({
    type: "planned",
    manifestDigest: FIRST.manifestDigest,
    layers: [{ isPresent: false }, { isPresent: false }],
  });
  for (const { digest } of [A, B]) {
    const states = course.flatMap((it) =>
      it.type === "layer" && it.digest === digest ? it.state : [],
    );
    expect(states).toEqual(["fetched", "imported"]);
  }
  expect(course.slice(-2)).toEqual([
    { type: "stage", stage: "merging" },
    { type: "stage", stage: "committed" },
  ]);
});

test("of a newer image only the missing layers are fetched", async () => {
  const bed = await makeFakePull();
  bed.serve(FIRST);
  await pull(bed);
  bed.serve(SECOND);
  expect(await pull(bed)).toMatchObject({ manifestDigest: SECOND.manifestDigest });
  expect(bed.commands).toContain(`skopeo copy ${nameOf(C)}`);
  await requireNothingLeft(bed);
});

test("an image that is there is left alone: nothing is run, and nothing is said", async () => {
  const bed = await makeFakePull();
  bed.serve(FIRST);
  const { commit } = await pull(bed);
  const events: PullEvent[] = [];
  const again = await pull(bed, "none", { onEvent: (it) => void events.push(it) });
  expect(again).toMatchObject({ commit, isUnchanged: true });
  expect(bed.commands).toEqual([]);
  expect(events).toEqual([]);
});

test("an image that is there is protected where that is asked for", async () => {
  const bed = await makeFakePull();
  bed.serve(FIRST);
  const { commit } = await pull(bed);
  const protection = { takeRef: async () => "ostree/container/baseimage/bootc-pull/run" };
  expect(await pull(bed, "none", { protection })).toMatchObject({ commit, isUnchanged: true });
  expect(bed.commands).toEqual(["flock", "ostree refs"]);
});

test("a deployed image needs no protection", async () => {
  const bed = await makeFakePull();
  bed.serve(FIRST);
  const { commit } = await pull(bed);
  await bed.setRef("ostree/0/1/0", commit);
  const protection = { takeRef: () => Promise.reject(new Error("asked for")) };
  expect(await pull(bed, "none", { protection })).toMatchObject({ commit, isUnchanged: true });
});

test("a policy judges a stored image by a copy without layers, silently", async () => {
  const bed = await makeFakePull();
  bed.serve(FIRST);
  const { commit } = await pull(bed);
  const events: PullEvent[] = [];
  const judged = await pull(bed, "policy", { onEvent: (it) => void events.push(it) });
  expect(judged).toMatchObject({ commit, isUnchanged: true });
  expect(bed.commands).toEqual(["flock", "skopeo copy"]);
  expect(events).toEqual([]);
  await requireNothingLeft(bed);
});

test("a policy that rejects the stored image fails the pull and leaves the image", async () => {
  const bed = await makeFakePull();
  bed.serve(FIRST);
  const { commit } = await pull(bed);
  bed.whenCopying(() => Promise.reject(new Error("the policy rejects it")));
  await expect(pull(bed, "policy")).rejects.toThrow("pulling docker://quay.io/example/os");
  expect(await readRef(bed.repo, REF)).toBe(commit);
  await requireNothingLeft(bed);
});

test("what an interrupted pull had imported of a stored image goes when it is judged", async () => {
  const bed = await makeFakePull();
  bed.serve(FIRST);
  const { commit } = await pull(bed);
  await bed.setRef(pendingRef(A.digest), commit);
  await pull(bed, "policy");
  await requireNothingLeft(bed);
});

test("the keys of an ostree remote vouch for a stored image each time", async () => {
  const bed = await makeFakePull();
  const base = makeImage([A], { labels: { "ostree.final-diffid": A.diffId } });
  const commit = await bed.store(OS, base);
  bed.serve(base);
  const plan = await planOf(bed, "none", { kind: "remote", remote: "keys" });
  bed.commands.length = 0;
  expect(await pullImage(bed.ctx, plan)).toMatchObject({ commit, isUnchanged: true });
  expect(bed.commands).toEqual(["ostree pull-local --gpg-verify"]);
});

const BASE = encapsulate();
const BASE_LAYER = layerOf(tarOfEntries(...Object.values(BASE.objects).map(packObject)));
const BASE_IMAGE = makeImage([BASE_LAYER], {
  labels: { "ostree.final-diffid": BASE_LAYER.diffId, "ostree.commit": BASE.commit },
});
const KEYS = { kind: "remote", remote: "keys" } as const;

test("the keys of an ostree remote vouch for a new image before it is committed", async () => {
  const bed = await makeFakePull();
  bed.serve(BASE_IMAGE);
  const plan = await planOf(bed, "none", KEYS);
  bed.commands.length = 0;
  const { commit } = await pullImage(bed.ctx, plan);
  expect(await readRef(bed.repo, REF)).toBe(commit);
  // The image is moved into the repository between the last two.
  expect(bed.commands.slice(-3)).toEqual(["ostree pull-local --gpg-verify", "sync", "sync"]);
});

test("an image that no key vouches for is not stored", async () => {
  const bed = await makeFakePull();
  bed.serve(BASE_IMAGE);
  const run: Context["run"] = async (program, args) => {
    if (args.includes("--gpg-verify")) throw new Error("no key vouches for it");
    await bed.ctx.run(program, args);
  };
  const plan = await planOf(bed, "none", KEYS);
  await expect(pullImage({ ...bed.ctx, run }, plan)).rejects.toMatchObject({
    cause: { message: "no key vouches for it" },
  });
  expect(await readRef(bed.repo, REF)).toBeUndefined();
});

test("the keys vouch as well for what another writer stored meanwhile", async () => {
  const bed = await makeFakePull();
  bed.serve(BASE_IMAGE);
  const plan = await planOf(bed, "none", KEYS);
  const commit = await bed.store(OS, BASE_IMAGE);
  bed.commands.length = 0;
  expect(await pullImage(bed.ctx, plan)).toMatchObject({ commit, isUnchanged: true });
  expect(bed.commands).toEqual(["flock", "ostree pull-local --gpg-verify"]);
});

test("an image that the disk has no room for is refused before a byte of it is fetched", async () => {
  const bed = await makeFakePull();
  bed.serve(makeImage([{ ...A, sizeBytes: 2 ** 50 }]));
  await expect(pull(bed)).rejects.toMatchObject({ cause: { kind: "space" } });
  expect(bed.commands).toEqual(["flock"]);
  await requireNothingLeft(bed);
});

test("a tag that moves while the policy is asked is followed", async () => {
  const bed = await makeFakePull();
  bed.serve(FIRST);
  await pull(bed);
  bed.whenCopying(() => bed.serve(SECOND));
  const pulled = await pull(bed, "policy");
  expect(pulled).toMatchObject({ manifestDigest: SECOND.manifestDigest, isUnchanged: false });
  expect(await readRef(bed.repo, REF)).toBe(pulled.commit);
  await requireNothingLeft(bed);
});

test("a tag that moves while it is fetched is followed, and announced anew", async () => {
  const bed = await makeFakePull();
  bed.serve(FIRST);
  bed.whenCopying(() => bed.serve(SECOND));
  const events: PullEvent[] = [];
  const pulled = await pull(bed, "none", { onEvent: (it) => void events.push(it) });
  expect(pulled).toMatchObject({ manifestDigest: SECOND.manifestDigest, isUnchanged: false });
  const planned = events.flatMap((it) => (it.type === "planned" ? it.manifestDigest : []));
  expect(planned).toEqual([FIRST.manifestDigest, SECOND.manifestDigest]);
  await requireNothingLeft(bed);
});

test("an image that another writer removed meanwhile is fetched after all", async () => {
  const bed = await makeFakePull();
  bed.serve(FIRST);
  await pull(bed);
  const plan = await planOf(bed, "policy");
  await rm(join(bed.repo, "refs/heads", REF));
  const pulled = await pullImage(bed.ctx, plan);
  expect(pulled).toMatchObject({ isUnchanged: false });
  expect(await readRef(bed.repo, REF)).toBe(pulled.commit);
  await requireNothingLeft(bed);
});

test("what a killed run left goes with the next pull, of an image that is there already as well", async () => {
  const bed = await makeFakePull();
  bed.serve(FIRST);
  await pull(bed);
  await bed.write("extensions/bootc/fetch-killed/oci-put-blob1", "half");
  await bed.write("tmp/bootc-pull-killed/spool", "half");
  expect(await pull(bed)).toMatchObject({ isUnchanged: true });
  await requireNothingLeft(bed);
});
