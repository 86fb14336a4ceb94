// `xtask licenses`: the licences of the executable's contents, with all their texts in one file.
import { writeFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { BootcError } from "../src/errors.ts";
import { writeWhole } from "./archive/write-whole.ts";
import { type Inside, packagesInside, readInside } from "./licenses/inside.ts";
import { defineTask } from "./task.ts";

export const task = defineTask({
  declare: (command) =>
    command
      .option("--out <file>", "file for the texts; target/LICENSE.dependencies by default")
      .option("--expression", "print only the SPDX expression, and write nothing")
      .option("--json", "print the expression and the packages as JSON, and write nothing")
      .option(
        "--vendored <folder>",
        "take packages from an unpacked vendored set instead of fetching them",
      )
      .option("--license <expression>", "the expression for everything, if it is already known")
      .option(
        "--runtime <folder>",
        "use an unpacked runtime (LICENSE) instead of the installed one",
      )
      .option(
        "--no-runtime-text",
        "leave out the runtime's own LICENSE, which is shipped as another file",
      )
      .addHelpText(
        "after",
        "\nExamples:\n  npm run xtask licenses\n  npm run xtask -- licenses --expression",
      ),
  async run(tree, options) {
    const path = (value?: string) => (value === undefined ? undefined : resolve(value));
    const inside = await readInside(tree, {
      vendored: path(options.vendored),
      runtime: path(options.runtime),
    });
    const expression = await readExpression(inside, options.license);
    if (options.json === true) return formatJson(expression, inside);
    if (options.expression === true) return expression;
    const out = path(options.out) ?? join(tree.top, "target", "LICENSE.dependencies");
    const text = await formatTexts(expression, inside, options.runtimeText !== false);
    await writeWhole(out, (temp) => writeFile(temp, text));
    return relative(tree.top, out);
  },
});

async function readExpression(inside: Inside, known: string | undefined): Promise<string> {
  if (known !== undefined) return known;
  const { formatLicense } = await import("./licenses/spdx.ts");
  return formatLicense(ownLicense(inside), inside.manifest);
}

function ownLicense({ project }: Inside): string {
  if (typeof project.license === "string") return project.license;
  throw new BootcError("package.json has no `license`");
}

function formatJson(expression: string, { manifest }: Inside): string {
  const packages = packagesInside(manifest).map(({ name, version, license, licenseFiles }) => ({
    name,
    version,
    license,
    licenseFiles,
  }));
  return JSON.stringify({ expression, packages });
}

/** The texts with a heading each, equal texts only once, and the runtime's own collection last. */
export async function formatTexts(
  expression: string,
  inside: Inside,
  withRuntime: boolean,
): Promise<string> {
  const byText = new Map<string, string[]>();
  for (const { name, version, license, licenseFiles } of packagesInside(inside.manifest)) {
    const texts = await Promise.all(licenseFiles.map(inside.readText));
    const text = texts.map((it) => it.replace(/\r\n/g, "\n").trim()).join("\n\n");
    byText.set(text, [...(byText.get(text) ?? []), `${name} ${version} (${license})`]);
  }
  const rule = "=".repeat(80);
  const sections = [...byText].map(([text, names]) => `${rule}\n${names.join("\n")}\n\n${text}\n`);
  const runtime = `${rule}\nNode.js and what it is made of\n\n${inside.runtimeText.trim()}\n`;
  return [
    `The executable as a whole: ${expression}\n`,
    ...sections,
    ...(withRuntime ? [runtime] : []),
  ].join("\n");
}
