// Installs a vendored set without npm and without network: node xtask/vendor/install.ts VENDOR_DIR TARGET_DIR
import { existsSync } from "node:fs";
import { chmod, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { BootcError, doing, exitStatusOf } from "../../src/errors.ts";
import { printError } from "../../src/process/print-error.ts";
import { describeMismatch, matchIntegrity, parseIntegrity } from "../npm/integrity.ts";
import { type PlatformLimits, runsOn, thisPlatform } from "./platform.ts";
import { readTarball } from "./tar-read.ts";

/** The fields that we read of an entry in the vendored lockfile. */
interface Entry extends PlatformLimits {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly bin?: string | Readonly<Record<string, string>>;
}

/**
 * Makes `target`/node_modules from the vendored set in `vendor`: verifies and unpacks every tarball, except
 * those for other platforms. The folder appears complete or not at all. Returns the number of packages. Fails
 * with kind `integrity`, and names the package, if a tarball differs from the lockfile.
 */
export async function installVendored(vendor: string, target: string): Promise<number> {
  const place = join(target, "node_modules");
  if (existsSync(place))
    throw new BootcError(`\`${place}\` already exists`, { hint: "remove it first" });
  const here = thisPlatform();
  const entries = Object.entries(await readLock(vendor)).filter(
    ([path, it]) => path !== "" && runsOn(it, here),
  );
  const temp = join(target, `.node_modules-${process.pid}`);
  try {
    await mkdir(temp, { recursive: true });
    for (const [path, it] of entries)
      await installPackage(vendor, join(temp, requireInside(path)), path, it);
    await rename(temp, place);
  } finally {
    await rm(temp, { recursive: true, force: true });
  }
  return entries.length;
}

async function readLock(vendor: string): Promise<Readonly<Record<string, Entry>>> {
  const path = join(vendor, "package-lock.json");
  try {
    const { packages } = JSON.parse(await readFile(path, "utf8")) as {
      readonly packages?: Readonly<Record<string, Entry>>;
    };
    if (packages !== undefined) return packages;
  } catch (cause) {
    // A syntax error in the file is not a defect of this program.
    throw noLock(path, cause instanceof SyntaxError ? new BootcError(cause.message) : cause);
  }
  throw noLock(path, new BootcError("it names no packages"));
}

function noLock(path: string, cause: unknown): BootcError {
  const hint = "name the folder of an unpacked vendored archive, the one with `manifest.json`";
  return new BootcError(`cannot read \`${path}\``, { cause, hint });
}

/** The path below node_modules. Fails if it leads elsewhere. */
function requireInside(path: string): string {
  const parts = path.split("/");
  if (
    parts[0] === "node_modules" &&
    parts.length > 1 &&
    !parts.includes("..") &&
    !parts.includes("")
  )
    return parts.slice(1).join("/");
  throw new BootcError(`the lockfile names the path \`${path}\`, which is not in node_modules`);
}

async function installPackage(
  vendor: string,
  folder: string,
  path: string,
  entry: Entry,
): Promise<void> {
  const name = `${path.replace(/^.*node_modules\//, "")}@${entry.version ?? "?"}`;
  if (!entry.resolved?.startsWith("file:") || entry.integrity === undefined)
    throw new BootcError(`\`${name}\` has no vendored tarball with an integrity`);
  const tarball = join(vendor, entry.resolved.slice("file:".length));
  await doing(`installing \`${name}\``, async () => {
    const bytes = await readFile(tarball);
    requireIntegrity(bytes, entry.integrity ?? "");
    const executable = new Set(binsOf(entry));
    for (const file of readTarball(bytes)) {
      const inside = file.path.slice(file.path.indexOf("/") + 1);
      const isExecutable = file.isExecutable || executable.has(inside);
      await writeOne(join(folder, inside), file.bytes, isExecutable);
    }
  });
}

function requireIntegrity(bytes: Buffer, integrity: string): void {
  const want = parseIntegrity(integrity);
  if (want === undefined)
    throw new BootcError(`its integrity is not a SHA-2 digest: \`${integrity}\``);
  if (matchIntegrity(want, bytes) !== undefined) return;
  throw new BootcError(
    `its tarball is not what the lockfile says: ${describeMismatch(want, bytes)}`,
    { kind: "integrity", hint: "fetch the vendored archive again, or make a new one" },
  );
}

function binsOf({ bin }: Entry): readonly string[] {
  const paths = typeof bin === "string" ? [bin] : Object.values(bin ?? {});
  return paths.map((it) => it.replace(/^\.\//, ""));
}

/** Sets modes that do not depend on the umask. */
async function writeOne(path: string, bytes: Buffer, isExecutable: boolean): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, bytes);
  await chmod(path, isExecutable ? 0o755 : 0o644);
}

async function main([vendor, target, ...more]: readonly string[]): Promise<number> {
  try {
    if (vendor === undefined || target === undefined || more.length > 0)
      throw new BootcError(
        "this needs two folders: the vendored set, and the place for node_modules",
        {
          kind: "usage",
          hint: "node xtask/vendor/install.ts VENDOR_DIR TARGET_DIR",
        },
      );
    const count = await installVendored(vendor, target);
    process.stderr.write(`installed ${count} packages into ${join(target, "node_modules")}\n`);
    return 0;
  } catch (error) {
    printError(error, { program: "xtask", isJson: false });
    return exitStatusOf(error);
  }
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
