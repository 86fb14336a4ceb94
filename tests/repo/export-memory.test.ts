// How much memory an export of a large image takes: no layer is ever held in memory.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { endWithPeak } from "./peak-memory.ts";
import { bootc, makeScratch, ostree, pullArgs, type Scratch, startBootc } from "./program.ts";
import { makeTinyImage } from "./tiny-image.ts";

const LAYERS = 24;
const LAYER_BYTES = 16 << 20;
const FILES = 20_000;
const LIMIT_MIB = 250;

let scratch: Scratch;

beforeAll(async () => {
  scratch = await makeScratch();
});
afterAll(() => scratch?.remove());

test(`an image of ${LAYERS} layers and ${FILES} files is exported with at most ${LIMIT_MIB} MiB`, async () => {
  const dir = join(scratch.dir, "image");
  await mkdir(dir);
  const small = Object.fromEntries(
    Array.from({ length: FILES }, (_, i) => [`/usr/lib/d${i % 500}/file-${i}`, `content ${i}\n`]),
  );
  const large = (i: number) => ({
    [`/usr/lib/large-${i}`]: Buffer.alloc(LAYER_BYTES, `content of layer ${i}\n`),
  });
  await makeTinyImage(dir, "os", {
    layers: [small, ...Array.from({ length: LAYERS }, (_, i) => large(i))],
  });
  const repo = scratch.repo();
  const source = `oci:${dir}:os`;
  const pulled = await bootc(pullArgs(repo, `ostree-unverified-image:${source}`, "--quiet"));
  expect(pulled).toMatchObject({ status: 0 });
  const container = ["internals", "ostree-container"];
  const image = ostree("refs", `--repo=${repo}`, "--list", "ostree/container/image").trim();
  const exports = [
    ["reexport", ["image", "reexport", "--repo", repo, source, `oci:${scratch.dir}/again:os`]],
    ["encapsulate", ["encapsulate", "--repo", repo, image, `oci:${scratch.dir}/whole:os`]],
  ] as const;
  for (const [name, words] of exports) {
    const { ended, peakKib } = await endWithPeak(startBootc([...container, ...words]));
    expect(ended, name).toMatchObject({ status: 0 });
    expect(peakKib).toBeGreaterThan(0);
    expect(peakKib / 1024, name).toBeLessThanOrEqual(LIMIT_MIB);
  }
});
