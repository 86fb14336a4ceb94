import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { KnownSystem, MountedFacts } from "./judge.ts";
import type { State } from "./states.ts";
import type { DeploymentFacts } from "./system-facts.ts";
import { type Bench, tryState } from "./trial.ts";
import type { View } from "./view.ts";

const DEPLOYMENT: DeploymentFacts = {
  ...{ deployment: `${"1".repeat(64)}.0`, tree: "tree", etc: "etc", origin: "origin" },
};
const OLD: KnownSystem = { ...DEPLOYMENT, version: "1", kernel: "k", initramfs: "i" };
const TARGET = "/ostree/boot.1/x";
const ENTRY = { ...DEPLOYMENT, file: "ostree-1.conf", kernel: "k", initramfs: "i", target: TARGET };
const FACTS: MountedFacts = {
  ...{ targets: { [TARGET]: "" }, entries: [ENTRY], marks: "", fsck: "" },
  ...{ booted: { version: "1", commit: "1".repeat(64) }, upgrade: "", fsckNext: "" },
  next: [{ ...ENTRY, kernel: "k3", initramfs: "i3" }],
};
const VIEW: View = {
  ...{ loader: [ENTRY], digest: "a", isRepaired: false, complaints: [], isRemembered: true },
};

let work: string;
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), "crash-trial-"));
});
afterEach(() => rmSync(work, { recursive: true }));

interface Seeing {
  readonly views?: readonly View[];
  readonly differences?: readonly string[];
  readonly isTraced?: boolean;
}

/** A bench whose viewer sees `views`, one state after another. */
function makeBench({ views = [VIEW], differences = [], isTraced = true }: Seeing) {
  const asked = { compared: [] as number[], judged: 0 };
  let at = 0;
  const bench: Bench = {
    ...{ executable: "bootc", work, known: new Map(), found: new Map() },
    made: {
      ...{ name: "ext4", date: "2026-11-29", marks: [{ phase: "pull", at: 0 }] },
      layout: { root: { type: "ext4", offset: 0, bytes: 0 } },
      ...{ old: OLD, new: { ...OLD, deployment: "2.0" }, others: [] },
      next: { version: "3", kernel: "k3", initramfs: "i3" },
    },
    log: { intervals: [{ writes: [], from: 0, to: 1 }], read: () => Buffer.alloc(0), close() {} },
    judge: {
      async find() {
        asked.judged++;
        return FACTS;
      },
      async end() {},
    },
    viewer: {
      disk: {
        ...{ path: "/dev/null", contentsOf: () => new Int32Array(), async load() {} },
        ...{ changed() {}, read: () => Buffer.alloc(0), findWrong: () => [], close() {} },
      },
      view: async () => views[Math.min(at++, views.length - 1)] ?? VIEW,
      compare: isTraced
        ? async (state) => {
            asked.compared.push(state.number);
            return differences;
          }
        : undefined,
      async end() {},
    },
  };
  return { bench, asked };
}

const stateOf = (number: number, kind: State["kind"] = "subset"): State => ({
  ...{ number, interval: 0, kind, index: 0 },
});

test("states with the same view are judged once, and every 25th is looked at nevertheless", async () => {
  const { bench, asked } = makeBench({});
  const judged = [];
  for (let i = 0; i < 60; i++) judged.push(await tryState(bench, stateOf(i)));
  expect(judged.flatMap((it) => it.problems)).toEqual([]);
  expect(judged.filter((it) => !it.isRepeated)).toHaveLength(1);
  expect(asked).toEqual({ compared: [0, 25, 50], judged: 1 });
  expect(judged.filter((it) => it.isCompared).map((it) => it.number)).toEqual([0, 25, 50]);
});

test("a difference between the two looks fails the state", async () => {
  const { bench } = makeBench({ differences: ["seen by parts: a; directly: b"] });
  const [first, second] = [await tryState(bench, stateOf(0)), await tryState(bench, stateOf(1))];
  expect(first?.problems).toEqual(["seen by parts: a; directly: b"]);
  expect(second?.problems).toEqual([]);
});

test.each<[string, Seeing]>([
  ["always looked at", { isTraced: false }],
  ["just looked at", { views: [{ ...VIEW, isRemembered: false }] }],
])("what is %s is not compared", async (_what, seeing) => {
  const { bench, asked } = makeBench(seeing);
  expect((await tryState(bench, stateOf(0))).isCompared).toBe(false);
  expect(asked.compared).toEqual([]);
});

test("the same files on a damaged file system are judged by themselves", async () => {
  const views = ["", "inode 12", "inode 13", "inode 12", ""].map((it) => ({
    ...VIEW,
    complaints: it === "" ? [] : [it],
  }));
  const { bench, asked } = makeBench({ views });
  const judged = [];
  for (const i of views.keys()) judged.push(await tryState(bench, stateOf(i + 1)));
  expect(judged.map((it) => it.isRepeated)).toEqual([false, false, false, true, true]);
  expect([asked.judged, new Set(judged.map((it) => it.view)).size]).toEqual([3, 3]);
});

test("the same files with another view of the boot loader are judged by that", async () => {
  const { bench, asked } = makeBench({ views: [VIEW, { ...VIEW, loader: "EIO" }] });
  const judged = [await tryState(bench, stateOf(1)), await tryState(bench, stateOf(2))];
  expect(judged.map((it) => it.problems)).toEqual([[], ["the boot loader: EIO"]]);
  expect(asked.judged).toBe(1);
});

test.each<[State["kind"], readonly string[]]>([
  ["prefix", []],
  ["torn-512", []],
  ["torn-4k", ["the file system had to be repaired"]],
  ["subset", ["the file system had to be repaired"]],
])("a repair after %s", async (kind, problems) => {
  const { bench } = makeBench({ views: [{ ...VIEW, isRepaired: true }] });
  expect((await tryState(bench, stateOf(1, kind))).problems).toEqual(problems);
});
