// `bootc internals fsverity`: protect a file with fs-verity, or print its digest.
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { BootcError, doing, errnoOf } from "../../errors.ts";
import { type FileVerity, openFileVerity } from "../../native/fsverity.ts";
import { startVerityDigest } from "../../ostree/fsverity.ts";
import type { Context } from "../../system/context.ts";

export interface FsverityMeasureOptions {
  readonly compute?: boolean;
}

export async function fsverityMeasure(
  ctx: Context,
  path: string,
  options: FsverityMeasureOptions,
): Promise<void> {
  await withFile(path, async (file) => {
    ctx.say(options.compute === true ? await computeDigest(file) : measureDigest(file, path));
  });
}

export async function fsverityEnable(_ctx: Context, path: string): Promise<void> {
  await withFile(path, async (file) => {
    callVerity(path, (verity) => verity.enable(file.fd));
  });
}

/** Opens a regular file without waiting for anybody, as a pipe would. */
async function withFile(path: string, work: (file: FileHandle) => Promise<void>): Promise<void> {
  const flags = constants.O_RDONLY | constants.O_NONBLOCK;
  const file = await doing(`reading \`${path}\``, () => open(path, flags));
  try {
    if (!(await file.stat()).isFile()) {
      throw new BootcError(`\`${path}\` is not a regular file`, { kind: "usage" });
    }
    await work(file);
  } finally {
    await file.close();
  }
}

const SHA256 = 1;

function measureDigest(file: FileHandle, path: string): string {
  const found = callVerity(path, (verity) => verity.measure(file.fd));
  if (found === undefined) {
    throw new BootcError(`\`${path}\` is not protected by fs-verity`, {
      hint: "`bootc internals fsverity enable` protects a file, and `measure --compute` needs no protection",
    });
  }
  if (found.algorithm === SHA256) return found.digest.toString("hex");
  throw new BootcError(
    `\`${path}\` is protected with algorithm ${found.algorithm}, not with SHA-256`,
  );
}

async function computeDigest(file: FileHandle): Promise<string> {
  const digest = startVerityDigest();
  for await (const chunk of file.createReadStream({ highWaterMark: 1 << 20, autoClose: false })) {
    digest.update(chunk as Buffer);
  }
  return digest.finish();
}

/** What the kernel's refusals mean. */
const REFUSALS: Readonly<Record<string, readonly [kind: "unsupported" | "failed", what: string]>> =
  {
    ENOTTY: ["unsupported", "its file system or the kernel has no fs-verity"],
    EOPNOTSUPP: ["unsupported", "its file system or the kernel has no fs-verity"],
    ENOTSUP: ["unsupported", "its file system or the kernel has no fs-verity"],
    EEXIST: ["failed", "it is protected already"],
    ETXTBSY: ["failed", "a program has it open for writing"],
  };

function callVerity<T>(path: string, call: (verity: FileVerity) => T): T {
  const verity = openFileVerity();
  if (verity === undefined) {
    throw new BootcError("the C library cannot be called", { kind: "unsupported" });
  }
  try {
    return call(verity);
  } catch (cause) {
    const [kind, what] = REFUSALS[errnoOf(cause) ?? ""] ?? [];
    if (kind === undefined || what === undefined) {
      throw new BootcError(`using fs-verity on \`${path}\``, { cause });
    }
    throw new BootcError(`\`${path}\` cannot be handled by fs-verity: ${what}`, { kind });
  }
}
