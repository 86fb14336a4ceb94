import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { bootc } from "./program.ts";
import { pushImage } from "./pushed-images.ts";
import { type Registry, startRegistry } from "./registry.ts";
import { missing } from "./simulated-boot.ts";

const PREFIX = "org.containers.bootc.rollout";
const START = "2026-12-01T06:00:00Z";
const ACCESS = ["--insecure-skip-tls-verification"];

let registry: Registry;
beforeAll(async () => {
  if (!missing) registry = await startRegistry();
});
afterAll(() => registry?.stop());

const inspect = (name: string) =>
  execFileSync("skopeo", ["inspect", "--raw", "--tls-verify=false", `docker://${name}`], {
    encoding: "utf8",
  });
const digestOf = (text: string) => `sha256:${createHash("sha256").update(text).digest("hex")}`;

describe.skipIf(missing)("bootc updates annotate", () => {
  let name: string;
  let count = 0;
  beforeEach(() => {
    name = `${registry.address}/annotated-${count++}:latest`;
  });
  const annotate = (...words: readonly string[]) =>
    bootc(["updates", "annotate", name, ...ACCESS, ...words]);

  test("moves the tag to a manifest with the rollout, and no layer travels", async () => {
    const before = await pushImage(name, { version: "1", annotations: { other: "x" } });
    const old = JSON.parse(inspect(name));
    await registry.requests();
    const { status, stdout, stderr } = await annotate(`--start=${START}`, "--duration=48h");
    expect(status, stderr).toBe(0);
    const after = inspect(name);
    expect(stdout).toBe(`\`${name}\` was ${before}\n  and is ${digestOf(after)} now.\n`);
    expect(stderr).toContain("sign it now");
    const annotations = {
      ...{ other: "x", [`${PREFIX}.start`]: START, [`${PREFIX}.duration`]: "48h" },
    };
    expect(JSON.parse(after)).toEqual({ ...old, annotations });
    const layers = old.layers.map((it: { digest: string }) => it.digest);
    const requests = await registry.requests();
    const moved = requests.filter((it) => layers.some((digest: string) => it.includes(digest)));
    expect(moved.filter((it) => !it.startsWith("HEAD "))).toEqual([]);
    expect(digestOf(inspect(`${name.replace(":latest", "")}@${before}`))).toBe(before);

    expect((await annotate(`--start=${START}`, "--duration=48h")).stdout).toContain(
      "has these annotations already",
    );
    expect((await annotate("--clear")).status).toBe(0);
    expect(JSON.parse(inspect(name)).annotations).toEqual({ other: "x" });
  }, 120_000);

  test("annotates every image of an index, and nothing else in it", async () => {
    const digests = [];
    for (const version of ["1", "2"]) digests.push(await pushImage(name, { version }));
    const plain = name.replace(":latest", "");
    const platforms = [
      { os: "linux", architecture: "amd64" },
      { os: "unknown", architecture: "unknown" },
    ];
    const manifests = digests.map((digest, i) => ({
      ...{ mediaType: "application/vnd.oci.image.manifest.v1+json", digest },
      ...{ size: inspect(`${plain}@${digest}`).length, platform: platforms[i] },
    }));
    const mediaType = "application/vnd.oci.image.index.v1+json";
    const index = JSON.stringify({ schemaVersion: 2, mediaType, manifests });
    const path = plain.replace(`${registry.address}/`, "");
    const answer = await fetch(`http://${registry.address}/v2/${path}/manifests/latest`, {
      ...{ method: "PUT", headers: { "content-type": mediaType }, body: index },
    });
    expect(answer.status).toBe(201);
    const { status, stderr } = await annotate("--paused");
    expect(status, stderr).toBe(0);
    const after = JSON.parse(inspect(name));
    expect(after.manifests[1]).toEqual(manifests[1]);
    expect(after.manifests[0].digest).not.toBe(digests[0]);
    const first = inspect(`${plain}@${after.manifests[0].digest}`);
    expect(JSON.parse(first).annotations).toEqual({ [`${PREFIX}.paused`]: "true" });
    expect(after.manifests[0].size).toBe(first.length);
  }, 120_000);

  test.each([
    [["--duration=48h"], "hosts would not understand this rollout: it has no valid start"],
    [[], "no annotation is given"],
    [["--clear", "--paused"], "`--clear` does not go with other annotations"],
  ])("refuses %j", async (words, want) => {
    const { status, stderr } = await annotate(...words);
    expect(stderr).toContain(want);
    expect(status).toBe(2);
  });

  test("refuses a digest, which cannot be moved", async () => {
    name = `${name.replace(":latest", "")}@sha256:${"a".repeat(64)}`;
    expect((await annotate("--paused")).stderr).toContain("names a digest");
  });
});
