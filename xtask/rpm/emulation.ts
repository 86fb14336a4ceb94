// Runs another machine's programs by qemu, in separate namespaces that leave the host as it is.
import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { BootcError, doing } from "../../src/errors.ts";
import { readNamesIfAny } from "../../src/system/files.ts";
import { cacheFolder } from "../archive/make-once.ts";
import { ensurePrograms } from "../checks/requirements.ts";
import type { Tree } from "../task.ts";
import { sandboxCommand } from "./sandbox.ts";

/** A machine that we can emulate: its names for qemu and Debian, and how its executables begin. */
interface Emulated {
  readonly qemu: string;
  readonly debian: string;
  /** For binfmt_misc: the first bytes of an executable, and which of their bits count. */
  readonly magic: string;
  readonly mask: string;
}

const EMULATED: Readonly<Record<string, Emulated>> = {
  aarch64: {
    qemu: "qemu-aarch64-static",
    debian: "arm64",
    magic: `\\x7fELF\\x02\\x01\\x01${"\\x00".repeat(9)}\\x02\\x00\\xb7\\x00`,
    mask: `${"\\xff".repeat(7)}\\x00${"\\xff".repeat(8)}\\xfe\\xff\\xff\\xff`,
  },
};

/** The libraries that Node and its executable load. */
const LIBRARIES = ["libc6", "libgcc-s1", "libstdc++6", "libatomic1"];
const LIBRARY_FOLDER = "/emulated";

export interface EmulatedCommand {
  /** The folder that the sandbox sees as `/builddir`. */
  readonly folder: string;
  readonly command: readonly string[];
}

/** Runs `command` in a sandbox where executables for `machine` run as if they were native. */
export async function runEmulated(
  tree: Tree,
  machine: string,
  { folder, command }: EmulatedCommand,
): Promise<void> {
  const emulated = requireEmulated(machine);
  await ensurePrograms(tree, [emulated.qemu, "unshare", "bwrap"]);
  const libraries = await fetchLibraries(tree, emulated);
  const sandbox = await sandboxCommand({
    folder,
    env: { QEMU_LD_PREFIX: LIBRARY_FOLDER },
    shown: { [libraries]: LIBRARY_FOLDER },
  });
  // Since Linux 6.7, each user namespace has its own binfmt_misc. The flag F makes the kernel open qemu now,
  // so that programs in any root can use it later.
  const register =
    `mount -t binfmt_misc none /proc/sys/fs/binfmt_misc && ` +
    `echo '${await formatBinfmt(tree, emulated)}' > /proc/sys/fs/binfmt_misc/register && exec "$@"`;
  const namespaces = ["--user", "--map-root-user", "--mount", "--fork", "--kill-child"];
  await tree.ctx.run("unshare", [
    ...namespaces,
    "sh",
    "-c",
    register,
    "sh",
    ...sandbox,
    ...command,
  ]);
}

function requireEmulated(machine: string): Emulated {
  const emulated = EMULATED[machine];
  if (emulated !== undefined) return emulated;
  throw new BootcError(`\`${machine}\` cannot be emulated`, {
    kind: "usage",
    hint: `choose from ${Object.keys(EMULATED).join(", ")}`,
  });
}

async function formatBinfmt({ ctx }: Tree, { qemu, magic, mask }: Emulated): Promise<string> {
  const path = (await ctx.read("sh", ["-c", 'command -v "$1"', "sh", qemu])).trim();
  return `:${qemu}:M::${magic}:${mask}:${path}:F`;
}

/** A folder with the other machine's system libraries, fetched once from Debian's archive. */
async function fetchLibraries(tree: Tree, { debian }: Emulated): Promise<string> {
  const path = join(cacheFolder(tree), `libraries-${debian}`);
  if ((await readNamesIfAny(path)).length > 0) return path;
  await ensurePrograms(tree, ["apt-get", "dpkg-deb"]);
  tree.ctx.note(`fetching the system libraries of ${debian}, once`);
  await mkdir(dirname(path), { recursive: true });
  const work = await mkdtemp(`${path}-`);
  try {
    const root = join(work, "root");
    await doing(`fetching the system libraries of \`${debian}\``, async () => {
      await downloadLibraries(tree, debian, work);
      for (const file of (await readdir(work)).filter((it) => it.endsWith(".deb")))
        await tree.ctx.run("dpkg-deb", ["--extract", join(work, file), root]);
    });
    await rename(root, path);
    return path;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Uses separate package lists, so that the host's apt does not learn about a foreign architecture. */
async function downloadLibraries({ ctx }: Tree, debian: string, work: string): Promise<void> {
  for (const it of ["state/lists/partial", "cache/archives/partial"])
    await mkdir(join(work, it), { recursive: true });
  const options = {
    "APT::Architecture": debian,
    "APT::Architectures::": debian,
    "Dir::State": join(work, "state"),
    "Dir::State::status": "/dev/null",
    "Dir::Cache": join(work, "cache"),
    "APT::Sandbox::User": "root",
  };
  const words = Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
  await ctx.run("apt-get", [...words, "--quiet=2", "update"], { cwd: work });
  await ctx.run("apt-get", [...words, "--quiet=2", "download", ...LIBRARIES], { cwd: work });
}
