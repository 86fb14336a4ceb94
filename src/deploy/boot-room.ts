// Room in /boot for the kernel of what is staged. ostree writes it at shutdown, when nobody reads errors.
import { stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { BootcError } from "../errors.ts";
import { assignSlots } from "../host/assemble-host.ts";
import type { Deployment } from "../host/deployment.ts";
import { formatSize } from "../host/manifest-difference.ts";
import { isAtLeast, readOstreeVersion } from "../programs/ostree/version.ts";
import { readSysroot } from "../sysroot/sysroot.ts";
import type { Context } from "../system/context.ts";
import { readNamesIfAny } from "../system/optional-file.ts";

/** From this version on ostree removes what the rollback alone needs before it writes to a full /boot. */
const PRUNES_EARLY = "2024.6";

export interface StagedKernel {
  readonly repo: string;
  readonly commit: string;
  readonly booted: Deployment;
}

/** Refuses as `space` a commit whose kernel and initramfs do not fit beside those that stay. */
export async function requireBootRoom(ctx: Context, it: StagedKernel): Promise<void> {
  const wanted = await readKernelFiles(ctx, it.repo, it.commit);
  const requiredBytes = wanted.reduce((sum, file) => sum + file.sizeBytes, 0);
  const boot = join(ctx.root, "boot");
  const files = await statfs(boot);
  const freeBytes = files.bavail * files.bsize;
  if (requiredBytes <= freeBytes) return;
  const { deployments } = await readSysroot(ctx);
  if (await isKernelInBoot(ctx, it, { wanted, deployments })) return;
  const freeable = isAtLeast(await readOstreeVersion(ctx), PRUNES_EARLY)
    ? await sumFreeableKernels(boot, deployments)
    : 0;
  const availableBytes = freeBytes + freeable;
  if (requiredBytes <= availableBytes) return;
  throw new BootcError(
    `Insufficient free space in /boot for the kernel of the image (available: ${formatSize(
      availableBytes,
    )} required: ${formatSize(requiredBytes)})`,
    { kind: "space", hint: "remove what else is in /boot, or make it larger" },
  );
}

/**
 * Some deployment of the stateroot, the rollback included, has the same kernel in /boot: ostree writes it
 * once, whatever the rest of the image, and keeps it for whoever needs it.
 */
export async function isKernelInBoot(
  ctx: Context,
  { repo, booted }: Pick<StagedKernel, "repo" | "booted">,
  {
    wanted,
    deployments,
  }: { readonly wanted: readonly KernelFile[]; readonly deployments: readonly Deployment[] },
): Promise<boolean> {
  const checked = new Set<string>();
  for (const it of deployments.filter(({ stateroot }) => stateroot === booted.stateroot)) {
    const name = nameKernel(it);
    if (checked.has(name)) continue;
    checked.add(name);
    if ((await readNamesIfAny(join(ctx.root, "boot/ostree", name))).length === 0) continue;
    const present = await readKernelFiles(ctx, repo, it.checksum);
    if (wanted.map(keyOf).join() === present.map(keyOf).join()) return true;
  }
  return false;
}

/** The directory of a deployment's kernel in /boot/ostree. */
function nameKernel({ stateroot, bootChecksum }: Deployment): string {
  return `${stateroot}-${bootChecksum}`;
}

interface KernelFile {
  readonly name: string;
  readonly sizeBytes: number;
  readonly checksum: string;
}

const keyOf = (it: KernelFile) => `${it.name} ${it.checksum}`;

async function readKernelFiles(
  ctx: Context,
  repo: string,
  commit: string,
): Promise<readonly KernelFile[]> {
  const dir = "/usr/lib/modules";
  const list = (paths: readonly string[]) =>
    ctx.read("ostree", ["ls", `--repo=${repo}`, "--checksum", commit, ...paths]);
  const versions = parseListing(await list([dir])).filter((it) => it.kind === "d");
  const inside = await Promise.all(
    versions.filter((it) => it.path !== dir).map(async (it) => parseListing(await list([it.path]))),
  );
  return inside.flat().flatMap(({ kind, path, sizeBytes, checksum }) => {
    const name = path.slice(path.lastIndexOf("/") + 1);
    const isBootFile = kind === "-" && /^(vmlinuz|initramfs\.img|devicetree)$/.test(name);
    return isBootFile ? [{ name, sizeBytes, checksum }] : [];
  });
}

interface Listed {
  readonly kind: string;
  readonly sizeBytes: number;
  readonly checksum: string;
  readonly path: string;
}

/** Parses `ostree ls --checksum`: type and mode, owner, group, size, one or two checksums, path. */
export function parseListing(text: string): readonly Listed[] {
  return text.split("\n").flatMap((line) => {
    const match = /^([-dl])\d+ +\d+ +\d+ +(\d+) ([0-9a-f]{64})(?: [0-9a-f]{64})? (\/.*)$/.exec(
      line,
    );
    const [, kind, size, checksum, path] = match ?? [];
    if (!kind || !size || !checksum || !path) return [];
    return [{ kind, sizeBytes: Number(size), checksum, path }];
  });
}

/** Bytes of kernels that go at the latest when what is staged is put in place: nothing kept boots them. */
export async function sumFreeableKernels(
  boot: string,
  deployments: readonly Deployment[],
): Promise<number> {
  const kept = new Set(keptDeployments(deployments).map(nameKernel));
  const top = join(boot, "ostree");
  let sum = 0;
  // A file in there is no kernel: ostree leaves word of a shutdown that went wrong.
  for (const name of (await readNamesIfAny(top)).filter((it) => !kept.has(it))) {
    for (const file of await readNamesIfAny(join(top, name))) {
      sum += (await stat(join(top, name, file))).size;
    }
  }
  return sum;
}

/** What stays beside a new deployment: the booted one, pinned ones, and those of other stateroots. */
function keptDeployments(deployments: readonly Deployment[]): readonly Deployment[] {
  const { booted } = assignSlots(deployments);
  return deployments.filter(
    (it) => it === booted || it.isPinned || it.stateroot !== booted?.stateroot,
  );
}
