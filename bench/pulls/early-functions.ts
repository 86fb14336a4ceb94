// Which functions short commands use: V8's coverage of the bundle, run by the pinned Node.
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { BootcError } from "../../src/errors.ts";
import { machineOstree } from "../../tests/repo/ostree-versions.ts";
import { pushImage } from "../../tests/repo/pushed-images.ts";
import { installFromRegistry, makeHost } from "../../tests/repo/simulated-boot.ts";
import { bundle } from "../../xtask/build/bundle.ts";
import { nameUnits } from "../../xtask/build/early-functions.ts";
import type { Tree } from "../../xtask/task.ts";
import { type Bed, NEAR, serveImage, withBed } from "./bed.ts";
import { makeStart, ourPuller, type Pull } from "./contenders.ts";

/** A base in chunks with a layer on top, as small as it can be: the number of files does not matter here. */
const IMAGE = { kind: "encapsulated", layers: 8, files: 80, sizeBytes: 80_000 } as const;

/** Where a simulated host has the checkout. */
const INSIDE = "/run/checkout";

/** Runs a command that leaves its coverage in the folder. */
type Run = (coverage: string) => Promise<unknown>;

/** The lines of the list, sorted. */
export async function recordEarlyFunctions(tree: Tree): Promise<readonly string[]> {
  const folder = join(tree.top, "target", "early-functions");
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await bundle(tree, { version: "0.0.0", folder, hasLateFunctions: true });
  const program = join(folder, "bootc.cjs");
  const entered = new Set<number>();
  const record = async (run: Run) => {
    const coverage = join(folder, "coverage");
    await rm(coverage, { recursive: true, force: true });
    await run(coverage);
    for (const start of await readEntered(coverage, program)) entered.add(start);
  };
  const run = async (words: readonly string[], coverage: string) => {
    const env = { NODE_V8_COVERAGE: coverage };
    await tree.ctx.run(process.execPath, [program, ...words], { env });
  };
  await record((coverage) => run(["--version"], coverage));
  await withBed(tree, NEAR, async (bed, address) => {
    const pull: Pull = { bed, address, image: await serveImage(bed, "os", IMAGE) };
    const puller = ourPuller(bed);
    const start = await makeStart(puller, pull);
    const [, ...words] = await puller.command(start, pull);
    await record((coverage) => run(words, coverage));
    await recordHost(bed, program, record);
  });
  return nameUnits(await readFile(program, "utf8"), (start) => entered.has(start));
}

/** What users and timers run most: the image that the host follows is the one it runs. */
const ON_HOST = ["status", "upgrade --check", "upgrade", "updates run"] as const;

async function recordHost(
  { tree, registry }: Bed,
  program: string,
  record: (run: Run) => Promise<void>,
): Promise<void> {
  const host = makeHost(machineOstree());
  try {
    const name = `${registry.address}/host`;
    const insecure = `[[registry]]\nlocation = "${registry.address}"\ninsecure = true\n`;
    await pushImage(`${name}:latest`, {
      version: "1",
      files: {
        "etc/containers/registries.conf": insecure,
        "usr/lib/systemd/system/bootc-updates.service": "[Service]\n",
      },
    });
    installFromRegistry(host, name);
    const inside = (path: string) => path.replace(tree.top, INSIDE);
    const words = [process.execPath, program].map(inside).join(" ");
    for (const verb of ON_HOST) {
      await record(async (coverage) => {
        const env = { NODE_V8_COVERAGE: inside(coverage) };
        const { status, stderr } = host.shell(`exec ${words} ${verb}`, { env });
        if (status !== 0) throw new BootcError(`\`${verb}\` failed: ${stderr.trim()}`);
      });
    }
  } finally {
    host.remove();
  }
}

interface Coverage {
  readonly result: readonly {
    readonly url: string;
    readonly functions: readonly {
      readonly ranges: readonly { readonly startOffset: number; readonly count: number }[];
    }[];
  }[];
}

/** Where the functions begin that were called, in characters from the start of the bundle. */
async function readEntered(coverage: string, program: string): Promise<readonly number[]> {
  const entered: number[] = [];
  for (const name of await readdir(coverage)) {
    const { result }: Coverage = JSON.parse(await readFile(join(coverage, name), "utf8"));
    const script = result.find(({ url }) => basename(url) === basename(program));
    for (const { ranges } of script?.functions ?? []) {
      const [whole] = ranges;
      if (whole !== undefined && whole.count > 0) entered.push(whole.startOffset);
    }
  }
  if (entered.length === 0) throw new BootcError(`no coverage of ${program}`);
  return entered;
}
