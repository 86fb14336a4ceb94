// `xtask copr emulate`: the two phases of a build on COPR, on this machine. First the Makefile in a fresh
// clone, as root without capabilities and with COPR's variables; then the rebuild without network.
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BootcError, doing } from "../../src/errors.ts";
import { cacheFolder } from "../archive/make-once.ts";
import { readGit } from "../checkout/git.ts";
import { ensurePrograms } from "../checks/requirements.ts";
import { ownMachine, packageRpm, REBUILD_PROGRAMS } from "../package-rpm.ts";
import type { Tree } from "../task.ts";

/**
 * What root keeps in the chroot of the source build. COPR drops most others (copr-rpmbuild's mock
 * configuration for systemd-nspawn); dropping all others proves more.
 */
export const KEPT_CAPABILITIES = ["chown", "dac_override", "fowner", "fsetid"] as const;

/** How deep COPR clones before it falls back to everything. */
const CLONE_DEPTH = "500";
const FOLDER = "target/copr-emulation";
/** Whoever clones on the builder is not root: git then asks whether the clone is trusted. */
const CLONE_OWNER = "65534:65534";
/** What the network of a developer's machine may need; a builder has the network as it is. */
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
  /** Below the clone; where COPR runs make. */
  readonly subdirectory: string;
  /** The package's spec file as the project names it; may be empty. */
  readonly spec: string;
  /** As on a builder, where nothing was downloaded before. */
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

/** The phase that has the network: clone, make_srpm, one source RPM. Its path in the checkout. */
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

/** A clone of what is committed, as shallow as COPR's, owned by somebody else. */
async function cloneFresh(tree: Tree, clone: string): Promise<void> {
  const commit = await readGit(tree, ["rev-parse", "HEAD"]);
  const quiet = ["-c", "advice.detachedHead=false"];
  // Only over a transport does git honour the depth.
  const source = `file://${tree.top}`;
  const args = ["clone", "--quiet", "--depth", CLONE_DEPTH, "--no-single-branch", source, clone];
  await readGit(tree, [...quiet, ...args]);
  await readGit({ ...tree, top: clone }, [...quiet, "checkout", "--quiet", commit]);
  if (process.getuid?.() === 0) await tree.ctx.run("chown", ["--recursive", CLONE_OWNER, clone]);
}

/** What COPR leaves in the chroot's home: trust in the clone, and macros. */
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

/** The command copr-rpmbuild runs in the chroot, below a root that can do little. */
export function makeCommand({ clone, outdir, subdirectory, spec }: MakeOptions): {
  readonly program: string;
  readonly args: readonly string[];
} {
  // Without a spec the variable is the folder.
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
  // Root of a namespace of our own is root enough where we are not.
  const isRoot = process.getuid?.() === 0;
  const [program = "", ...args] = isRoot
    ? limited
    : ["unshare", "--user", "--map-root-user", "--", ...limited];
  return { program, args };
}

/** `env -i`: every variable of ours, taken away. */
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

/** Under `npm run` the path begins with programs that no clone has. */
function pathOf(path = "/usr/bin:/usr/sbin"): string {
  return path
    .split(":")
    .filter((it) => !it.includes("node_modules"))
    .join(":");
}

/** COPR takes the first one it finds, so there has to be exactly one. */
export function requireOne(names: readonly string[]): string {
  const found = names.filter((it) => it.endsWith(".src.rpm"));
  if (found[0] !== undefined && found.length === 1) return found[0];
  throw new BootcError(`make_srpm left ${found.length} source RPMs instead of one`, {
    hint: found.length > 1 ? `COPR would take any of ${found.join(", ")}` : "see what make printed",
  });
}
