import { expect, test } from "vitest";
import {
  annotateManifest,
  manifestDigestOf,
  replaceInIndex,
  requireRolloutAnnotations,
} from "./annotate.ts";

const PREFIX = "org.containers.bootc.rollout";
const digest = (it: string) => `sha256:${it.repeat(64)}`;
const blob = (it: string) => ({ mediaType: "x", digest: digest(it), size: 1 });
const manifest = (more: object = {}) =>
  JSON.stringify({ schemaVersion: 2, config: blob("a"), layers: [blob("b")], ...more });

test("a rollout becomes annotations", () => {
  const wish = { start: "2026-12-01T06:00:00Z", steps: "0m=1, 3d=100", minimumVersion: "41" };
  expect(requireRolloutAnnotations(wish)).toEqual({
    [`${PREFIX}.start`]: "2026-12-01T06:00:00Z",
    [`${PREFIX}.steps`]: "0m=1, 3d=100",
    [`${PREFIX}.minimum-version`]: "41",
  });
  expect(requireRolloutAnnotations({ paused: true })).toEqual({ [`${PREFIX}.paused`]: "true" });
  expect(requireRolloutAnnotations({})).toEqual({});
});

test.each([
  [{ start: "tomorrow" }, "start` has a wrong value"],
  [{ duration: "48h" }, "no valid start"],
  [{ start: "2026-12-01T06:00:00Z", steps: "3d=100, 0m=1" }, "steps` has a wrong value"],
  [{ start: "2026-12-01T06:00:00Z", duration: "1d", steps: "0m=1" }, "a duration and steps"],
] as const)("a rollout that hosts would not understand is refused: %j", (wish, want) => {
  expect(() => requireRolloutAnnotations(wish)).toThrow(want);
});

test("a manifest keeps everything except its former rollout", () => {
  const before = manifest({ annotations: { [`${PREFIX}.paused`]: "true", other: "x" }, more: 1 });
  const after = JSON.parse(annotateManifest(before, { [`${PREFIX}.start`]: "t" }));
  expect(after).toEqual({
    ...JSON.parse(before),
    annotations: { other: "x", [`${PREFIX}.start`]: "t" },
  });
  expect(JSON.parse(annotateManifest(before, {})).annotations).toEqual({ other: "x" });
});

test("a manifest that has these annotations keeps its bytes", () => {
  const before = ` ${manifest({ annotations: { [`${PREFIX}.start`]: "t", other: "x" } })}\n`;
  expect(annotateManifest(before, { [`${PREFIX}.start`]: "t" })).toBe(before);
});

test("a manifest in Docker's format is refused", () => {
  const mediaType = "application/vnd.docker.distribution.manifest.v2+json";
  expect(() => annotateManifest(manifest({ mediaType }), {})).toThrow(/in Docker's format/);
});

test("an index lists the new manifests by digest and size, and keeps the rest", () => {
  const old = [manifest(), manifest({ artifact: 1 })];
  const entries = old.map((it, i) => ({
    ...{ mediaType: "x", digest: manifestDigestOf(it), size: it.length },
    platform: { os: i === 0 ? "linux" : "unknown", architecture: "amd64" },
  }));
  const index = JSON.stringify({ schemaVersion: 2, manifests: entries, annotations: { a: "b" } });
  const changed = annotateManifest(old[0] ?? "", { [`${PREFIX}.paused`]: "true" });
  const [first, second] = entries.map((it) => it.digest);
  const after = replaceInIndex(
    index,
    new Map([
      [first ?? "", changed],
      [second ?? "", old[1] ?? ""],
    ]),
  );
  const [one, two] = entries;
  const size = changed.length;
  expect(JSON.parse(after)).toEqual({
    ...JSON.parse(index),
    manifests: [{ ...one, digest: manifestDigestOf(changed), size }, two],
  });
  expect(replaceInIndex(index, new Map([[second ?? "", old[1] ?? ""]]))).toBe(index);
});
