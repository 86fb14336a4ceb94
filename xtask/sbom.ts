// `xtask sbom`: lists the contents of the executable for tools that check vulnerabilities and licences.
import { writeFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { Option } from "../src/cli/commander.ts";
import { BootcError } from "../src/errors.ts";
import { writeWhole } from "./archive/write-whole.ts";
import { readCheckout } from "./checkout/checkout.ts";
import { type InsideOptions, readInside } from "./licenses/inside.ts";
import { readLockedRuntimes } from "./runtime/locked.ts";
import { decideBill } from "./sbom/components.ts";
import { formatCycloneDx } from "./sbom/cyclonedx.ts";
import { formatSpdx } from "./sbom/spdx.ts";
import { defineTask, type Tree } from "./task.ts";

const FORMATS = {
  cyclonedx: { suffix: "cdx.json", format: formatCycloneDx },
  spdx: { suffix: "spdx.json", format: formatSpdx },
} as const;

export type BillFormat = keyof typeof FORMATS;

export const task = defineTask({
  declare: (command) =>
    command
      .addOption(
        new Option("--format <format>", "CycloneDX 1.6 or SPDX 2.3, in JSON")
          .choices(["cyclonedx", "spdx"])
          .default("cyclonedx"),
      )
      .option(
        "--out <file>",
        "file to write; target/bootc.cdx.json or target/bootc.spdx.json by default",
      )
      .option(
        "--vendored <folder>",
        "take packages from an unpacked vendored set instead of fetching them",
      )
      .option(
        "--runtime <folder>",
        "use an unpacked runtime (LICENSE) instead of the installed one",
      )
      .addHelpText(
        "after",
        "\nExamples:\n  npm run xtask sbom\n  npm run xtask -- sbom --format spdx",
      ),
  async run(tree, options) {
    const path = (value?: string) => (value === undefined ? undefined : resolve(value));
    const { format } = options;
    const out = path(options.out) ?? join(tree.top, "target", `bootc.${FORMATS[format].suffix}`);
    const vendored = path(options.vendored);
    await makeBill(tree, { format, out, vendored, runtime: path(options.runtime) });
    return relative(tree.top, out);
  },
});

export interface BillOptions extends InsideOptions {
  readonly format: BillFormat;
  /** Absolute path of the file to write. */
  readonly out: string;
}

export async function makeBill(tree: Tree, { format, out, ...options }: BillOptions) {
  await requirePinned(tree);
  const { version, commitEpoch } = await readCheckout(tree, { allowDirty: true });
  const bill = decideBill(await readInside(tree, options), {
    version,
    epoch: epochOf(tree, commitEpoch),
    runtimeVersions: process.versions,
  });
  await writeWhole(out, (temp) => writeFile(temp, FORMATS[format].format(bill)));
}

/** The bill lists the versions of the Node that runs this, so that has to be the pinned one. */
async function requirePinned(tree: Tree): Promise<void> {
  const [pinned] = await readLockedRuntimes(tree.top);
  if (pinned?.version === process.versions.node) return;
  throw new BootcError(
    `this runs under Node ${process.versions.node}, but ${pinned?.version} is pinned`,
    { hint: "start it as `npm run xtask sbom`" },
  );
}

function epochOf({ ctx }: Tree, commitEpoch: number): number {
  const given = ctx.env.SOURCE_DATE_EPOCH;
  return given !== undefined && /^\d+$/.test(given) ? Number(given) : commitEpoch;
}
