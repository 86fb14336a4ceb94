// `xtask copr emulate`: runs the two phases of a COPR build on this machine. First the Makefile, in a fresh
// clone, as root with few capabilities and with COPR's variables; then the rebuild without network.
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BootcError, doing } from "../../src/errors.ts";
import { cacheFolder } from "../archive/make-once.ts";
import { readGit } from "../checkout/git.ts";
import { ensurePrograms } from "../checks/requirements.ts";
import { ownMachine, packageRpm, REBUILD_PROGRAMS } from "../package-rpm.ts";
import type { Tree } from "../task.ts";

/**
 * The capabilities that root keeps in the chroot of the source build. COPR drops most others (copr-rpmbuild's
 * mock configuration for systemd-nspawn); dropping all others is a stricter test.
 */
export const KEPT_CAPABILITIES = ["chown", "dac_override", "fowner", "fsetid"] as const;

/** The depth of COPR's clones; only if that is not enough does it clone everything. */
const CLONE_DEPTH = "500";
const FOLDER = "target/copr-emulation";
/** On a builder, the owner of the clone is not root, so git does not trust the clone by itself. */
const CLONE_OWNER = "65534:65534";
/** Variables that the network of a developer's machine may need; a builder needs none. */
const NETWORK_VARIABLES = [
  "http_proxy",
  "https_proxy",
  "no_proxy",
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "NO_PROXY",
  "NODE_EXTRA_CA_CERTS",
  "SSL_CERT_FILE",
  "npm_config_registry",
];

export interface SourceBuildOptions {
  /** The folder in the clone in which COPR runs make. */
  readonly subdirectory: string;
  /** The package's spec file in the project's settings; may be empty. */
  readonly spec: string;
  /** Starts without cached downloads, like a builder. */
  readonly isFresh: boolean;
}

interface EmulateFlags {
  readonly subdirectory: string;
  readonly spec: string;
  readonly fresh?: boolean;
  readonly srpmOnly?: boolean;
}

export async function emulateCopr(tree: Tree, options: EmulateFlags): Promise<string> {
  const isWhole = options.srpmOnly !== true;
  const rebuild = isWhole ? REBUILD_PROGRAMS : [];
  await ensurePrograms(tree, ["git", "make", "setpriv", ...rebuild]);
  const srpm = await buildSourceRpm(tree, {
    subdirectory: options.subdirectory,
    spec: options.spec,
    isFresh: options.fresh === true,
  });
  tree.ctx.note(`the first phase made ${srpm}`);
  if (!isWhole) return srpm;
  const outdir = join(FOLDER, "rpms");
  return await doing("`xtask package-rpm`", () =>
    packageRpm(tree, { srpm, machine: ownMachine(), payload: "w3.zstdio", outdir }),
  );
}

/** Runs the phase with network: clone, make_srpm. Returns the path of the source RPM in the checkout. */
export async function buildSourceRpm(tree: Tree, options: SourceBuildOptions): Promise<string> {
  const folder = join(tree.top, FOLDER);
  await rm(folder, { recursive: true, force: true });
  const clone = join(folder, "clone");
  const outdir = join(folder, "results");
  const home = join(folder, "home");
  await Promise.all([outdir, home].map((it) => mkdir(it, { recursive: true })));
  await doing("cloning", () => cloneFresh(tree, clone));
  await writeHome(home, clone);
  const command = makeCommand({ ...options, clone, outdir });
  await doing("make_srpm", () =>
    tree.ctx.run(command.program, command.args, {
      cwd: join(clone, options.subdirectory),
      env: { ...withoutAll(tree), ...environmentOf(tree, { home, isFresh: options.isFresh }) },
    }),
  );
  return join(FOLDER, "results", requireOne(await readdir(outdir)));
}

/** Clones what is committed, as shallowly as COPR and owned by another user. */
async function cloneFresh(tree: Tree, clone: string): Promise<void> {
  const commit = await readGit(tree, ["rev-parse", "HEAD"]);
  const quiet = ["-c", "advice.detachedHead=false"];
  // git honours the depth only over a transport.
  const source = `file://${tree.top}`;
  const args = ["clone", "--quiet", "--depth", CLONE_DEPTH, "--no-single-branch", source, clone];
  await readGit(tree, [...quiet, ...args]);
  await readGit({ ...tree, top: clone }, [...quiet, "checkout", "--quiet", commit]);
  if (process.getuid?.() === 0) await tree.ctx.run("chown", ["--recursive", CLONE_OWNER, clone]);
}

/** Writes what COPR puts into the chroot's home: trust in the clone, and macros. */
async function writeHome(home: string, clone: string): Promise<void> {
  const trusted = [clone, `${clone}/*`].map((it) => `\tdirectory = ${it}\n`).join("");
  await writeFile(join(home, ".gitconfig"), `[safe]\n${trusted}`);
  const macros = {
    dist: "%{nil}",
    _disable_source_fetch: "0",
    copr_username: "emulation",
    copr_projectname: "bootc",
    vendor: "Fedora Project COPR (emulation/bootc)",
    buildtag: ".copr1",
  };
  const lines = Object.entries(macros).map(([name, value]) => `%${name} ${value}\n`);
  await writeFile(join(home, ".rpmmacros"), lines.join(""));
}

interface MakeOptions extends Omit<SourceBuildOptions, "isFresh"> {
  readonly clone: string;
  readonly outdir: string;
}

/** The command that copr-rpmbuild runs in the chroot, as a root with few capabilities. */
export function makeCommand({ clone, outdir, subdirectory, spec }: MakeOptions): {
  readonly program: string;
  readonly args: readonly string[];
} {
  // Without a spec, the variable names the folder.
  const specPath = join(clone, subdirectory, spec);
  const make = [
    "make",
    "-f",
    join(clone, ".copr/Makefile"),
    "srpm",
    `outdir=${outdir}`,
    `spec=${specPath}`,
  ];
  const bounding = ["-all", ...KEPT_CAPABILITIES.map((it) => `+${it}`)].join(",");
  const limited = ["setpriv", "--bounding-set", bounding, "--inh-caps", "-all", "--", ...make];
  // If we are not root, being root in a user namespace is enough.
  const isRoot = process.getuid?.() === 0;
  const [program = "", ...args] = isRoot
    ? limited
    : ["unshare", "--user", "--map-root-user", "--", ...limited];
  return { program, args };
}

/** Removes all our variables, like `env -i`. */
function withoutAll({ ctx }: Tree): Readonly<Record<string, undefined>> {
  return Object.fromEntries(Object.keys(ctx.env).map((name) => [name, undefined]));
}

function environmentOf(
  tree: Tree,
  { home, isFresh }: { readonly home: string; readonly isFresh: boolean },
): Readonly<Record<string, string>> {
  const { ctx } = tree;
  const network = NETWORK_VARIABLES.flatMap((name) => {
    const value = ctx.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    HOME: home,
    PATH: pathOf(ctx.env.PATH),
    LANG: "C.UTF-8",
    SHELL: "/bin/bash",
    USER: "root",
    ...Object.fromEntries(network),
    ...(isFresh ? {} : { BOOTC_CACHE: cacheFolder(tree) }),
  };
}

/** Removes the folders that `npm run` adds, which a clone does not have. */
function pathOf(path = "/usr/bin:/usr/sbin"): string {
  return path
    .split(":")
    .filter((it) => !it.includes("node_modules"))
    .join(":");
}

/** COPR takes the first one that it finds, so there has to be exactly one. */
export function requireOne(names: readonly string[]): string {
  const found = names.filter((it) => it.endsWith(".src.rpm"));
  if (found[0] !== undefined && found.length === 1) return found[0];
  throw new BootcError(`make_srpm left ${found.length} source RPMs instead of one`, {
    hint: found.length > 1 ? `COPR would take one of ${found.join(", ")}` : "see what make printed",
  });
}
