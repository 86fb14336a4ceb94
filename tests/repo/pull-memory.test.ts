// How much memory a pull of a large image takes: no layer is ever held in memory.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { endWithPeak } from "./peak-memory.ts";
import { makeScratch, ostree, pullArgs, type Scratch, startBootc } from "./program.ts";
import { makeTinyImage } from "./tiny-image.ts";

const LAYERS = 64;
const LAYER_BYTES = 16 << 20;
const LIMIT_MIB = 170;

let scratch: Scratch;

beforeAll(async () => {
  scratch = await makeScratch();
});
afterAll(() => scratch?.remove());

test(`an image of ${LAYERS} layers and 1 GiB is pulled with at most ${LIMIT_MIB} MiB`, async () => {
  const dir = join(scratch.dir, "image");
  await mkdir(dir);
  await makeTinyImage(dir, "os", {
    layers: Array.from({ length: LAYERS }, (_, i) => ({
      [`/usr/lib/file-${i}`]: Buffer.alloc(LAYER_BYTES, `content of layer ${i}\n`),
    })),
  });
  const repo = scratch.repo();
  const running = startBootc(pullArgs(repo, `ostree-unverified-image:oci:${dir}:os`));
  const { ended, peakKib } = await endWithPeak(running);
  expect(ended).toMatchObject({ status: 0 });
  expect(
    ostree("refs", `--repo=${repo}`, "--list", "ostree/container/blob").trim().split("\n"),
  ).toHaveLength(LAYERS);
  expect(peakKib).toBeGreaterThan(0);
  expect(peakKib / 1024).toBeLessThanOrEqual(LIMIT_MIB);
});
