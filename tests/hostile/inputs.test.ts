import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createRandom } from "../repo/images/random.ts";
import { type Kind, makeInput } from "./inputs.ts";
import { mutateTar } from "./mutate-tar.ts";
import { seedTars } from "./seed-tars.ts";
import { BLOCK, endMarker, findHeaders, repairChecksum } from "./tar-blocks.ts";

const BASE = { commit: "0".repeat(64), tars: [endMarker(), endMarker()] };
let work: string;
beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), "hostile-"));
});
afterAll(() => rm(work, { recursive: true }));

async function writeInput(seed: string, kind: Kind, number: number) {
  // The same path each time, since a reference contains it.
  const place = join(work, "it");
  await rm(place, { recursive: true, force: true });
  const input = makeInput(seed, { kind, number }, BASE);
  const pull = await input.write(place);
  const names = (await readdir(place, { recursive: true })).sort();
  const layout = await readFile(join(place, "index.json"), "latin1");
  return { of: input.of, done: input.done, pull, names, layout };
}

test.each(["tar", "document"] as const)("seed and number give a %s again", async (kind) => {
  for (let number = 1; number <= 8; number++) {
    const first = await writeInput("a", kind, number);
    expect(await writeInput("a", kind, number)).toEqual(first);
    expect(await writeInput("b", kind, number)).not.toEqual(first);
    expect(first.done).not.toEqual([]);
  }
});

test.each(seedTars())("the archive `$name` is whole before it is damaged", ({ tar }) => {
  const places = findHeaders(tar);
  for (const { at } of places) {
    const block = tar.subarray(at, at + BLOCK);
    const repaired = Buffer.from(block);
    repairChecksum(repaired);
    expect(block.equals(repaired)).toBe(true);
  }
  expect(tar.subarray(-2 * BLOCK).every((byte) => byte === 0)).toBe(true);
  expect(tar.length % BLOCK).toBe(0);
});

test("every kind of damage occurs, and always changes the archive", () => {
  const random = createRandom(1);
  const seeds = seedTars();
  const before = seeds.map(({ tar }) => Buffer.from(tar));
  const done = Array.from({ length: 400 }, (_, i) => {
    const { tar } = seeds[i % seeds.length] as (typeof seeds)[number];
    return mutateTar(tar, random).done;
  }).flat();
  for (const word of ["flipped", "header at", "extended", "cut", "twice", "without", "swapped"]) {
    expect(done.some((it) => it.includes(word))).toBe(true);
  }
  for (const [i, { tar }] of seeds.entries()) expect(tar.equals(before[i] as Buffer)).toBe(true);
});
