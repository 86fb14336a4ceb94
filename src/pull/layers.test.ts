import { readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { blobRef } from "../ostree/ref-names.ts";
import type { PullEvent } from "../progress/progress.ts";
import { type BlobCache, blobPath } from "../repository/cache.ts";
import type { Context } from "../system/context.ts";
import { EMPTY_COMMIT } from "../testing/empty-commit.ts";
import { emptyLayer, type FakePull, makeFakePull } from "../testing/fake-pull.ts";
import { makeImage } from "../testing/stored-image.ts";
import { type ImportedImage, withLayers } from "./layers.ts";
import { planPull } from "./plan/plan.ts";

const OS = { transport: "registry", name: "quay.io/example/os:latest" } as const;
const [A, B, C] = [emptyLayer(0), emptyLayer(1), emptyLayer(2)] as const;
const IMAGE = makeImage([A, B]);

/** What skopeo is told about where blobs and the index go. */
function cacheOf(args: readonly string[]): BlobCache {
  const blobDir = args.find((it) => it.startsWith("--dest-shared-blob-dir="))?.split("=")[1] ?? "";
  return { blobDir, layoutDir: args.at(-1)?.split(":")[1] ?? "", documents: new Set() };
}

interface Options {
  /** Changes what skopeo has copied. */
  readonly afterCopy?: (cache: BlobCache) => Promise<void>;
  readonly use?: (image: ImportedImage) => Promise<void>;
  readonly isStored?: boolean;
}

async function bringLayers(bed: FakePull, { afterCopy, use, isStored = false }: Options = {}) {
  const reference = { image: OS, verification: { kind: "none" } } as const;
  const plan = await planPull(bed.ctx, { repo: bed.repo, reference, requiresBootable: false });
  if (plan.kind !== "fetch") throw new Error("the image is there");
  bed.commands.length = 0;
  const run: Context["run"] = async (program, args) => {
    await bed.ctx.run(program, args);
    if (args.includes("copy")) await afterCopy?.(cacheOf(args));
  };
  const events: PullEvent[] = [];
  const onEvent = (it: PullEvent) => void events.push(it);
  const image = await withLayers(
    { ...bed.ctx, run },
    plan,
    { onEvent, isStored },
    async (imported) => {
      await use?.(imported);
      return imported;
    },
  );
  return { image, events };
}

/** Only the lock and an empty place for blobs stay. */
async function requireClosed({ repo }: FakePull): Promise<void> {
  expect(await readdir(join(repo, "tmp"))).toEqual([]);
  expect((await readdir(join(repo, "extensions/bootc"))).filter((it) => it !== "lock")).toEqual([
    "blobs",
  ]);
}

const digestsOf = ({ imported }: ImportedImage) => [...imported.commits.keys()];

test("layers that are missing are fetched and imported; nothing is merged early without others", async () => {
  const bed = await makeFakePull();
  bed.serve(IMAGE);
  const { image } = await bringLayers(bed);
  expect(digestsOf(image).sort()).toEqual([A.digest, B.digest].sort());
  expect(image.begun).toBeUndefined();
  await requireClosed(bed);
});

test("the lowest layers that are there are merged early, up to the first that is missing", async () => {
  const bed = await makeFakePull();
  bed.serve(makeImage([A, B, C]));
  for (const { digest } of [A, C]) await bed.setRef(blobRef(digest), EMPTY_COMMIT);
  const { image } = await bringLayers(bed);
  expect(digestsOf(image)).toEqual([B.digest]);
  expect(image.begun).toMatchObject({ hasBase: false, commits: [EMPTY_COMMIT] });
});

test("an image that is stored is not merged early, and announced only with a layer to fetch", async () => {
  const bed = await makeFakePull();
  bed.serve(IMAGE);
  await bed.setRef(blobRef(A.digest), EMPTY_COMMIT);
  const partly = await bringLayers(bed, { isStored: true });
  expect(partly.image.begun).toBeUndefined();
  expect(partly.events[0]).toMatchObject({ type: "planned" });
  await bed.setRef(blobRef(B.digest), EMPTY_COMMIT);
  const whole = await bringLayers(bed, { isStored: true });
  expect(whole.events).toEqual([]);
});

test("a layer that skopeo leaves out is an error, not one to wait for", async () => {
  const bed = await makeFakePull();
  bed.serve(IMAGE);
  // skopeo does not fetch what it finds.
  const name = B.digest.slice("sha256:".length);
  bed.whenCopying(() =>
    symlink("/dev/null", join(bed.repo, "extensions/bootc/blobs/sha256", name)),
  );
  await expect(bringLayers(bed)).rejects.toMatchObject({
    kind: "unsupported",
    message: expect.stringContaining(B.digest),
  });
  await requireClosed(bed);
});

test("of a tag that moved, the configuration that was copied is compared with its digest", async () => {
  const bed = await makeFakePull();
  const moved = makeImage([A, C]);
  bed.serve(IMAGE);
  bed.whenCopying(() => bed.serve(moved));
  const { config } = JSON.parse(moved.manifest) as { config: { digest: string } };
  const afterCopy = async (cache: BlobCache) =>
    await writeFile(blobPath(cache, config.digest), IMAGE.config);
  await expect(bringLayers(bed, { afterCopy })).rejects.toMatchObject({
    kind: "integrity",
    message: `the copied configuration is not \`${config.digest}\``,
  });
  await requireClosed(bed);
});

test("a manifest that was not copied as its index names it is refused", async () => {
  const bed = await makeFakePull();
  bed.serve(IMAGE);
  const afterCopy = async (cache: BlobCache) =>
    await writeFile(blobPath(cache, IMAGE.manifestDigest), makeImage([A]).manifest);
  await expect(bringLayers(bed, { afterCopy })).rejects.toMatchObject({ kind: "integrity" });
});

test("the labels are open while the image is in use, and all is closed where that fails", async () => {
  const bed = await makeFakePull();
  bed.serve(IMAGE);
  const use = () => Promise.reject(new Error("no use"));
  await expect(bringLayers(bed, { use })).rejects.toThrow("no use");
  await requireClosed(bed);
});
