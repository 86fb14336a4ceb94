// `xtask sbom`: what is inside the executable, for programs that look for vulnerabilities and licences.
import { writeFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { Option } from "../src/cli/commander.ts";
import { BootcError } from "../src/errors.ts";
import { writeWhole } from "./archive/write-whole.ts";
import { readCheckout } from "./checkout/checkout.ts";
import { readInside } from "./licenses/inside.ts";
import { readLockedRuntimes } from "./runtime/locked.ts";
import { decideBill } from "./sbom/components.ts";
import { formatCycloneDx } from "./sbom/cyclonedx.ts";
import { formatSpdx } from "./sbom/spdx.ts";
import { defineTask, type Tree } from "./task.ts";

const FORMATS = {
  cyclonedx: { suffix: "cdx.json", format: formatCycloneDx },
  spdx: { suffix: "spdx.json", format: formatSpdx },
} as const;

export const task = defineTask({
  declare: (command) =>
    command
      .addOption(
        new Option("--format <format>", "CycloneDX 1.6 or SPDX 2.3, in JSON")
          .choices(["cyclonedx", "spdx"])
          .default("cyclonedx"),
      )
      .option("--out <file>", "where it goes; target/bootc.cdx.json or target/bootc.spdx.json")
      .option("--vendored <folder>", "take packages from an unpacked vendored set; fetch nothing")
      .option("--runtime <folder>", "an unpacked runtime (LICENSE) in place of the installed one")
      .addHelpText(
        "after",
        "\nExamples:\n  npm run xtask sbom\n  npm run xtask -- sbom --format spdx",
      ),
  async run(tree, options) {
    const path = (value?: string) => (value === undefined ? undefined : resolve(value));
    const { suffix, format } = FORMATS[options.format];
    await requirePinned(tree);
    const { version, commitEpoch } = await readCheckout(tree, { allowDirty: true });
    const inside = await readInside(tree, {
      vendored: path(options.vendored),
      runtime: path(options.runtime),
    });
    const bill = decideBill(inside, {
      version,
      epoch: epochOf(tree, commitEpoch),
      runtimeVersions: process.versions,
    });
    const out = path(options.out) ?? join(tree.top, "target", `bootc.${suffix}`);
    await writeWhole(out, (temp) => writeFile(temp, format(bill)));
    return relative(tree.top, out);
  },
});

/** The versions listed are those of the Node that runs this. */
async function requirePinned(tree: Tree): Promise<void> {
  const [pinned] = await readLockedRuntimes(tree.top);
  if (pinned?.version === process.versions.node) return;
  throw new BootcError(
    `this runs under Node ${process.versions.node}, and ${pinned?.version} is the pinned one`,
    { hint: "start it as `npm run xtask sbom`" },
  );
}

function epochOf({ ctx }: Tree, commitEpoch: number): number {
  const given = ctx.env.SOURCE_DATE_EPOCH;
  return given !== undefined && /^\d+$/.test(given) ? Number(given) : commitEpoch;
}
