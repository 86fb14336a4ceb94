import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { BootcError } from "../../errors.ts";
import { platformOf } from "../../image/platform.ts";
import type { ImageReference } from "../../image/reference.ts";
import { type ScriptLine, scriptedContext } from "../../testing/scripted-context.ts";
import { type ImageTexts, makeImage, makeLayer } from "../../testing/stored-image.ts";
import { inspectConfigOf, inspectForHost, pinSource } from "./inspect.ts";

const OS = { transport: "registry", name: "quay.io/example/os:latest" } as const;
const IMAGE = makeImage([makeLayer("a")]);
const OTHER = makeImage([makeLayer("b")]);
const ask = (name: string, options = "--raw") => `? skopeo inspect ${options} docker://${name}`;
const pinned = ({ manifestDigest }: ImageTexts) => `quay.io/example/os@${manifestDigest}`;
const digestOf = (text: string) => `sha256:${createHash("sha256").update(text).digest("hex")}`;

/** An index that offers images for this machine and for one of another kind. */
const INDEX = JSON.stringify({
  schemaVersion: 2,
  manifests: [
    { platform: { os: "linux", architecture: "mips" }, of: OTHER },
    { platform: platformOf(process.arch), of: IMAGE },
  ].map(({ platform, of }) => ({
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    digest: of.manifestDigest,
    size: of.manifest.length,
    platform,
  })),
});

interface Question {
  readonly image?: ImageReference;
  readonly root?: string;
  readonly known?: string;
}

async function inspect(
  script: readonly ScriptLine[],
  { image = OS, root = "/nowhere", known = "" }: Question = {},
) {
  const { ctx, requireAllUsed } = scriptedContext(root, script);
  const options = { timeoutMs: 1, isKnown: (digest: string) => digest === known };
  const source = { image, access: {}, policyFile: "" };
  try {
    return await inspectForHost(ctx, source, options);
  } finally {
    requireAllUsed();
  }
}

test("a manifest is known by the digest of its bytes", async () => {
  const inspected = await inspect([[ask(OS.name), IMAGE.manifest]]);
  expect(inspected).toMatchObject({
    manifestDigest: IMAGE.manifestDigest,
    manifest: { layers: [{ digest: makeLayer("a").digest }] },
  });
});

test("of an index, this machine's manifest is asked for by digest", async () => {
  const inspected = await inspect([
    [ask(OS.name), INDEX],
    [ask(pinned(IMAGE)), IMAGE.manifest],
  ]);
  expect(inspected?.manifestDigest).toBe(IMAGE.manifestDigest);
});

test("a manifest that is not what the index names is refused", async () => {
  const inspected = inspect([
    [ask(OS.name), INDEX],
    [ask(pinned(IMAGE)), OTHER.manifest],
  ]);
  await expect(inspected).rejects.toMatchObject({
    kind: "integrity",
    message: expect.stringContaining("the manifest has the digest"),
  });
});

test.each([
  ["of an image", IMAGE.manifest],
  ["of an index", INDEX],
])("a digest %s that is known needs no further question", async (_, served) => {
  const known = IMAGE.manifestDigest;
  expect(await inspect([[ask(OS.name), served]], { known })).toBeUndefined();
});

test("an index in a place of files is read from there", async () => {
  const root = await mkdtemp(join(tmpdir(), "inspect-"));
  onTestFinished(() => rm(root, { recursive: true }));
  const hex = IMAGE.manifestDigest.slice("sha256:".length);
  await mkdir(join(root, "blobs/sha256"), { recursive: true });
  await writeFile(join(root, "blobs/sha256", hex), IMAGE.manifest);
  await writeFile(join(root, `${hex}.manifest.json`), IMAGE.manifest);
  const indexOf = (name: string): ScriptLine => [`? skopeo inspect --raw ${name}`, INDEX];
  const images = [
    [{ transport: "oci", name: `${root}:tag` }, [indexOf("oci:ROOT:tag")]],
    [{ transport: "dir", name: root }, [indexOf("dir:ROOT")]],
    [
      { transport: "oci-archive", name: `${root}/a.tar:tag` },
      [
        indexOf("oci-archive:ROOT/a.tar:tag"),
        [`? tar --extract --to-stdout --file=ROOT/a.tar blobs/sha256/${hex}`, IMAGE.manifest],
      ],
    ],
  ] as const;
  for (const [image, script] of images) {
    const inspected = await inspect(script, { image, root });
    expect(inspected?.manifestDigest).toBe(IMAGE.manifestDigest);
  }
});

test("an index in a place of whose files nothing is known is not supported", async () => {
  const image = { transport: "containers-storage", name: "os" } as const;
  const inspected = inspect([["? skopeo inspect --raw containers-storage:os", INDEX]], { image });
  await expect(inspected).rejects.toMatchObject({ kind: "unsupported" });
});

test("what will not pass is asked once", async () => {
  const refused = new BootcError("denied", { kind: "authentication" });
  await expect(inspect([[ask(OS.name), refused]])).rejects.toThrow();
});

/** The configuration of IMAGE, with one that was asked for at the same time. */
async function configOf(script: readonly ScriptLine[], early?: string) {
  const { ctx, requireAllUsed } = scriptedContext("/nowhere", script);
  const source = { image: OS, access: {}, policyFile: "" };
  const inspected = await inspect([[ask(OS.name), IMAGE.manifest]]);
  if (inspected === undefined) throw new Error("nothing was known");
  try {
    return await inspectConfigOf(ctx, source, {
      timeoutMs: 1,
      of: inspected,
      early: early === undefined ? undefined : Promise.resolve(early),
    });
  } finally {
    requireAllUsed();
  }
}

const CONFIG = ask(pinned(IMAGE), "--config --raw");
const diffIds = { rootfs: { diff_ids: [makeLayer("a").diffId] } };

test("an early configuration is used where it is the manifest's", async () => {
  expect(await configOf([], IMAGE.config)).toMatchObject(diffIds);
});

test.each([
  ["none was asked for early", undefined],
  ["the early one belongs to another image", OTHER.config],
])("where %s, the configuration is asked for by digest", async (_, early) => {
  expect(await configOf([[CONFIG, IMAGE.config]], early)).toMatchObject(diffIds);
});

test("a configuration that is not the manifest's is refused", async () => {
  await expect(configOf([[CONFIG, OTHER.config]])).rejects.toMatchObject({
    kind: "integrity",
    message: expect.stringContaining(digestOf(OTHER.config)),
  });
});

test.each<[ImageReference, string]>([
  [OS, `quay.io/example/os@${IMAGE.manifestDigest}`],
  [{ transport: "oci", name: "/a:tag" }, "/a:tag"],
])("%j by digest", (image, name) => {
  const source = { image, access: { isAnonymous: true }, policyFile: "/p" };
  expect(pinSource(source, IMAGE.manifestDigest)).toEqual({ ...source, image: { ...image, name } });
});
