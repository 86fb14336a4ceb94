// A commit as a container image: its objects in layers, and its metadata as labels.

import { BootcError } from "../errors.ts";
import type { JsonObject } from "../format/json.ts";
import type { ImageConfig } from "../image/config.ts";
import { formatImageTime } from "../image/config.ts";
import { platformOf } from "../image/platform.ts";
import { type Commit, textMetadata } from "../ostree/objects.ts";
import { requireCommit } from "../repository/files.ts";
import type { ContentMeta } from "./content-meta.ts";
import {
  createLayout,
  type Layout,
  type WrittenLayer,
  writeImageOf,
  writeLayers,
} from "./layout.ts";
import {
  type CommitObjects,
  chunkLayerEntries,
  commitLayerEntries,
  readCommitObjects,
} from "./object-layer.ts";

export interface Encapsulation {
  readonly repo: string;
  readonly commit: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Keys of the commit's metadata that become labels: those that must exist, and those that may. */
  readonly copyMeta: readonly string[];
  readonly copyMetaOpt: readonly string[];
  readonly cmd: readonly string[] | undefined;
  /** The `config` of the image's configuration, to which labels and command are added. */
  readonly containerConfig: JsonObject;
  /** Without, all content is in the layer of the commit. */
  readonly contentMeta: ContentMeta | undefined;
}

/** Writes the image; the digest of its manifest. It depends on nothing but the commit and the options. */
export async function encapsulateCommit(layout: Layout, request: Encapsulation): Promise<string> {
  const { repo, commit: checksum, contentMeta } = request;
  const commit = await requireCommit(repo, checksum);
  const labels = commitLabels(commit, request);
  await createLayout(layout);
  const objects = await readCommitObjects(repo, checksum);
  const { parts, rest } = splitContent(objects, contentMeta);
  const written = await writeLayers(layout, [
    { entries: () => commitLayerEntries(objects, rest) },
    ...parts.map((it) => ({ entries: () => chunkLayerEntries(objects, it.content) })),
  ]);
  const all = { ...labels, "ostree.final-diffid": written.at(-1)?.diffId ?? "" };
  const steps = [subjectOf(commit, checksum), ...parts.map((it) => it.name)];
  const config = imageConfig(request, { commit, labels: all, written, steps });
  return await writeImageOf(layout, config, {
    schemaVersion: 2,
    annotations: all,
    layers: written.map(({ descriptor }, i) => {
      const part = parts[i - 1];
      if (part === undefined) return descriptor;
      return { ...descriptor, annotations: { "ostree.components": part.name } };
    }),
  });
}

interface WrittenPart {
  readonly name: string;
  readonly content: readonly string[];
}

/** What the composer assigned to a part, and what it did not; a part without content makes no layer. */
function splitContent(
  { paths }: CommitObjects,
  contentMeta: ContentMeta | undefined,
): { readonly parts: readonly WrittenPart[]; readonly rest: readonly string[] } {
  const all = [...paths.keys()];
  const parts = (contentMeta?.parts ?? []).map(({ name, objects }) => ({
    name,
    content: all.filter((it) => objects.has(it)),
  }));
  const taken = new Set(parts.flatMap((it) => it.content));
  return {
    parts: parts.filter((it) => it.content.length > 0),
    rest: all.filter((it) => !taken.has(it)),
  };
}

function subjectOf({ subject }: Commit, checksum: string): string {
  return subject === "" ? `ostree export of commit ${checksum}` : subject;
}

function commitLabels(commit: Commit, request: Encapsulation): Readonly<Record<string, string>> {
  const { metadata } = commit;
  const version = textMetadata(metadata, "version");
  const linux = textMetadata(metadata, "ostree.linux");
  const bootable = metadata.find(([key]) => key === "ostree.bootable")?.[1];
  const isBootable = bootable?.type === "b" && bootable.value === true;
  return {
    ...Object.fromEntries(request.copyMeta.map((it) => [it, requireMetadata(metadata, it)])),
    ...Object.fromEntries(
      request.copyMetaOpt.flatMap((key) => {
        const value = textMetadata(metadata, key);
        return value === undefined ? [] : [[key, value]];
      }),
    ),
    ...(bootable?.type === "b" && { "ostree.bootable": String(bootable.value) }),
    ...(isBootable && { "containers.bootc": "1" }),
    ...(linux !== undefined && { "ostree.linux": linux }),
    ...(version !== undefined && { version, "org.opencontainers.image.version": version }),
    "ostree.commit": request.commit,
    ...request.contentMeta?.labels,
    ...request.labels,
  };
}

function requireMetadata(metadata: Commit["metadata"], key: string): string {
  const value = textMetadata(metadata, key);
  if (value !== undefined) return value;
  throw new BootcError(`the commit's metadata has no text \`${key}\``, {
    kind: "usage",
    hint: "`--copymeta-opt` skips what is missing",
  });
}

interface ConfigParts {
  readonly commit: Commit;
  readonly labels: Readonly<Record<string, string>>;
  readonly written: readonly WrittenLayer[];
  /** What made each layer. */
  readonly steps: readonly string[];
}

function imageConfig(
  { cmd, containerConfig, contentMeta }: Encapsulation,
  { commit, labels, written, steps }: ConfigParts,
): ImageConfig {
  const { os, architecture } = platformOf(process.arch);
  const created = contentMeta?.created ?? formatImageTime(commit.timestampEpoch);
  const command = cmd ?? commandOf(commit);
  const before = containerConfig.Labels as Readonly<Record<string, string>> | undefined;
  const config = {
    ...containerConfig,
    ...(command !== undefined && { Cmd: command }),
    Labels: { ...before, ...labels },
  };
  return {
    ...{ architecture, os, created, config },
    rootfs: { ...{ type: "layers" }, diff_ids: written.map((it) => it.diffId) },
    history: steps.map((created_by) => ({ created, created_by })),
  };
}

/** A commit may say what a container made of it runs. */
function commandOf({ metadata }: Commit): readonly string[] | undefined {
  const variant = metadata.find(([key]) => key === "ostree.container-cmd")?.[1];
  return variant?.type === "as" ? (variant.value as readonly string[]) : undefined;
}
