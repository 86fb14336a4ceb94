import { rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { objectPath } from "../ostree/objects.ts";
import { blobRef, pendingRef } from "../ostree/ref-names.ts";
import { EMPTY_COMMIT } from "../testing/empty-commit.ts";
import { makeFileRepository, makeImage, makeLayer } from "../testing/stored-image.ts";
import { findLayers, readWholeImage } from "./images.ts";

const OS = { transport: "registry", name: "quay.io/example/os" } as const;
const A = makeLayer("a");
const B = makeLayer("b");
const planned = (it: ReturnType<typeof makeLayer>) => ({ kind: "derived", ...it }) as const;
const commitsOf = async (repo: string, layers: readonly ReturnType<typeof makeLayer>[]) =>
  (await findLayers(repo, layers.map(planned))).map((it) => it.commit);

test("a layer is found by its own ref, and by that of a pull that did not end", async () => {
  const { repo, setRef } = await makeFileRepository();
  expect(await commitsOf(repo, [A, B])).toEqual([undefined, undefined]);
  await setRef(blobRef(A.digest), EMPTY_COMMIT);
  await setRef(pendingRef(B.digest), EMPTY_COMMIT);
  expect(await commitsOf(repo, [A, B])).toEqual([EMPTY_COMMIT, EMPTY_COMMIT]);
});

test("a layer that was merely compressed anew is found by its content", async () => {
  const { repo, store } = await makeFileRepository();
  await store(OS, makeImage([A]));
  expect(await commitsOf(repo, [makeLayer("a", "zstd"), B])).toEqual([EMPTY_COMMIT, undefined]);
});

test("a layer that the repository has only in part is fetched again", async () => {
  const { repo, setRef, write } = await makeFileRepository();
  await setRef(blobRef(A.digest), EMPTY_COMMIT);
  await write(`state/${EMPTY_COMMIT}.commitpartial`, "");
  expect(await commitsOf(repo, [A])).toEqual([undefined]);
  await rm(join(repo, `state/${EMPTY_COMMIT}.commitpartial`));
  expect(await commitsOf(repo, [A])).toEqual([EMPTY_COMMIT]);
});

test("a layer whose commit is gone is fetched again, though it has a ref", async () => {
  const { repo, setRef } = await makeFileRepository();
  await setRef(blobRef(A.digest), EMPTY_COMMIT);
  await rm(join(repo, objectPath(EMPTY_COMMIT, "commit")));
  expect(await commitsOf(repo, [A])).toEqual([undefined]);
});

test("an image is whole with its commit and the refs of all its layers", async () => {
  const { repo, store } = await makeFileRepository();
  const content = makeImage([A, B]);
  const commit = await store(OS, content);
  const { manifestDigest } = content;
  expect(await readWholeImage(repo, OS)).toMatchObject({ commit, manifestDigest });
  await rm(join(repo, "refs/heads", blobRef(B.digest)));
  expect(await readWholeImage(repo, OS)).toBeUndefined();
});

test("an image whose commit is there in part alone is not whole", async () => {
  const { repo, store, write } = await makeFileRepository();
  const commit = await store(OS, makeImage([A]));
  await write(`state/${commit}.commitpartial`, "");
  expect(await readWholeImage(repo, OS)).toBeUndefined();
});
