// Fakes of skopeo, ostree and flock that do what a pull needs, on a repository of files.
import { createHash } from "node:crypto";
import { cp, lstat, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { onTestFinished, vi } from "vitest";
import type { Context } from "../system/context.ts";
import { scriptedContext } from "./scripted-context.ts";
import {
  type FileRepository,
  type ImageTexts,
  type MadeLayer,
  makeFileRepository,
} from "./stored-image.ts";

export interface FakePull extends FileRepository {
  readonly ctx: Context;
  /** The commands that were run; `skopeo copy` with the layers it fetched, their digests shortened. */
  readonly commands: string[];
  /** What the registry serves from now on. */
  serve(image: ImageTexts): void;
  /** Called when skopeo begins to copy, before it looks what there is. */
  whenCopying(work: () => void | Promise<void>): void;
}

/** A layer without entries: a tar of zeros, `blocks` blocks longer than the shortest one. */
export function emptyLayer(blocks: number): MadeLayer {
  return layerOf(Buffer.alloc(1024 + 512 * blocks));
}

/** The contents of layers, by their digests: every registry serves them. */
const tars = new Map<string, Buffer>();

/** A layer that is this tar, uncompressed. */
export function layerOf(tar: Buffer): MadeLayer {
  const digest = digestOf(tar);
  tars.set(digest, tar);
  return { digest, diffId: digest, sizeBytes: tar.length };
}

function contentOf(digest: string): Buffer {
  const tar = tars.get(digest);
  if (tar === undefined) throw new Error(`nobody made the layer ${digest}`);
  return tar;
}

export async function makeFakePull(): Promise<FakePull> {
  // Only root writes layers without ostree's help; layers without files do not need root's rights.
  const getuid = vi.spyOn(process as { getuid(): number }, "getuid").mockReturnValue(0);
  onTestFinished(() => getuid.mockRestore());
  const repository = await makeFileRepository();
  const { repo, write } = repository;
  await write("policy.json", '{"default": [{"type": "reject"}]}');
  await write("config", "[core]\nrepo_version=1\nmode=bare\nmin-free-space-percent=0\n");
  for (const dir of ["state", "tmp"]) await mkdir(join(repo, dir));
  const commands: string[] = [];
  let served: ImageTexts | undefined;
  let onCopy: () => void | Promise<void> = () => undefined;
  const current = () => {
    if (served === undefined) throw new Error("the registry serves nothing");
    return served;
  };
  const start = async (program: string, args: readonly string[]): Promise<string> => {
    switch (`${program} ${args.find((it) => !it.startsWith("--policy="))}`) {
      case "skopeo --version":
        return "skopeo version 1.9.3\n";
      case "skopeo inspect":
        commands.push("skopeo inspect");
        return args.includes("--config") ? current().config : current().manifest;
      case "skopeo copy": {
        await onCopy();
        const brought = await copyImage(current(), args);
        commands.push(["skopeo copy", ...brought.map((it) => it.slice(7, 13))].join(" "));
        return "";
      }
      case "ostree --version":
        return "libostree:\n Version: '2024.5'\n Features:\n  - initial-var\n";
      case "ostree pull-local":
        commands.push(
          ["ostree pull-local", ...args.filter((it) => it.startsWith("--gpg"))].join(" "),
        );
        if (args.includes("--gpg-verify")) return "";
        await pullLocal(repo, args);
        return "";
      case "ostree refs":
        commands.push("ostree refs");
        return "";
      case "sync --file-system":
        commands.push("sync");
        return "";
      case "flock --exclusive":
        commands.push("flock");
        return "";
      default:
        throw new Error(`unexpected command \`${[program, ...args].join(" ")}\``);
    }
  };
  // Layers without content are one and the same commit, whatever the clock says.
  const env = { CONTAINERS_POLICY_JSON: join(repo, "policy.json"), SOURCE_DATE_EPOCH: "1" };
  const ctx: Context = {
    ...scriptedContext(repo, [], { env }).ctx,
    read: start,
    run: async (program, args) => void (await start(program, args)),
  };
  return {
    ...repository,
    ctx,
    commands,
    serve(image) {
      served = image;
    },
    whenCopying(work) {
      onCopy = work;
    },
  };
}

/** Writes the blobs that are missing; the digests of the layers among them. */
async function copyImage(image: ImageTexts, args: readonly string[]): Promise<readonly string[]> {
  const blobDir = args.find((it) => it.startsWith("--dest-shared-blob-dir="))?.split("=")[1] ?? "";
  const layoutDir = args.at(-1)?.split(":")[1] ?? "";
  const pathOf = (digest: string) => join(blobDir, "sha256", digest.slice("sha256:".length));
  const manifest = JSON.parse(image.manifest) as {
    readonly config: { readonly digest: string };
    readonly layers: readonly { readonly digest: string }[];
  };
  const brought: string[] = [];
  for (const { digest } of manifest.layers) {
    const path = pathOf(digest);
    if ((await lstat(path).catch(() => undefined)) !== undefined) continue;
    await writeFile(path, contentOf(digest));
    brought.push(digest);
  }
  await writeFile(pathOf(manifest.config.digest), image.config);
  await writeFile(pathOf(image.manifestDigest), image.manifest);
  const index = JSON.stringify({ manifests: [{ digest: image.manifestDigest }] });
  await writeFile(join(layoutDir, "index.json"), index);
  return brought;
}

async function pullLocal(repo: string, args: readonly string[]): Promise<void> {
  const scratch = args.find((it) => it.startsWith(join(repo, "tmp"))) ?? "";
  for (const dir of ["objects", "refs"]) {
    await mkdir(join(repo, dir), { recursive: true });
    await cp(join(scratch, dir), join(repo, dir), { recursive: true });
  }
  // ostree removes the mark of a partial commit once the commit is complete.
  await rm(join(repo, "state"), { recursive: true });
  await mkdir(join(repo, "state"));
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
