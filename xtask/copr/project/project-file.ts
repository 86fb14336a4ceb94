// Reads copr/project.json: the project, its chroots and the package. Errors name the line.
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { Ajv, type ErrorObject } from "ajv";
import { LineCounter, parseDocument } from "yaml";
import { BootcError } from "../../../src/errors.ts";
import { isServerContact, isServerUrl } from "./server-forms.ts";

export const PROJECT_FILE = "copr/project.json";
const SCHEMA_FILE = "copr/project.schema.json";

/** The formats in the schema, which other readers may ignore. */
const FORMATS = { "copr-url": isServerUrl, "copr-contact": isServerContact };

export interface ProjectFile {
  readonly copr?: string;
  readonly owner: string;
  readonly project: string;
  readonly description: string;
  readonly instructions?: string;
  readonly homepage?: string;
  readonly contact?: string;
  readonly chroots: readonly string[];
  /** To be switched off although the server added them. */
  readonly excludedChroots?: readonly string[];
  readonly enableNet?: boolean;
  readonly followFedoraBranching?: boolean;
  readonly unlistedOnHomepage?: boolean;
  readonly package: PackageSettings;
}

export interface PackageSettings {
  readonly name: string;
  readonly cloneUrl: string;
  readonly committish: string;
  readonly subdirectory?: string;
  readonly spec?: string;
  readonly webhookRebuild?: boolean;
  readonly maxBuilds?: number;
  readonly timeoutSeconds?: number;
}

/** The branch that a committish names; `heads/main` and `refs/heads/main` are exact names of `main`. */
export function branchOf({ committish }: PackageSettings): string {
  return committish.replace(/^(refs\/)?heads\//, "");
}

export async function readProjectFile(top: string, file = PROJECT_FILE): Promise<ProjectFile> {
  const [text, schema] = await Promise.all([
    readFile(resolve(top, file), "utf8"),
    readFile(join(top, SCHEMA_FILE), "utf8"),
  ]);
  return parseProjectFile(text, { file, schema: JSON.parse(schema) as object });
}

/** Checks `text` by the schema; one error lists every problem with its line. */
export function parseProjectFile(
  text: string,
  { file, schema }: { readonly file: string; readonly schema: object },
): ProjectFile {
  const lines = new LineCounter();
  // JSON is YAML, and this parser knows the position of everything. It also lists every syntax error.
  const document = parseDocument(text, { lineCounter: lines, schema: "json", uniqueKeys: true });
  const broken = document.errors.map(
    (it) => `${file}:${lines.linePos(it.pos[0]).line}: ${it.message.split("\n", 1)[0]}`,
  );
  if (broken.length > 0) throw badFile(broken);
  requireJson(text, file);

  const validate = new Ajv({ allErrors: true, verbose: true, formats: FORMATS }).compile(schema);
  const value = document.toJS() as unknown;
  const valid = validate(value) ? (value as ProjectFile) : undefined;
  const lineAt = (path: readonly string[]): number => {
    const node = document.getIn(path, true) as { range?: readonly number[] } | undefined;
    return lines.linePos(node?.range?.[0] ?? 0).line;
  };
  if (valid !== undefined) {
    requireOneList(valid, (i) => `${file}:${lineAt(["excludedChroots", String(i)])}`);
    return valid;
  }
  throw badFile(
    (validate.errors ?? []).map((it) => `${file}:${lineOf(it, lineAt)}: ${describe(it)}`),
  );
}

/** A chroot is either wanted or not. */
function requireOneList(
  { chroots, excludedChroots = [] }: ProjectFile,
  placeOf: (index: number) => string,
): void {
  const twice = excludedChroots.flatMap((name, i) =>
    chroots.includes(name) ? [`${placeOf(i)}: \`${name}\` is in \`chroots\` as well`] : [],
  );
  if (twice.length > 0) throw badFile(twice);
}

/** Refuses YAML that is not JSON, such as comments, because other readers of the file would. */
function requireJson(text: string, file: string): void {
  try {
    JSON.parse(text);
  } catch (cause) {
    const position = /\(line (\d+)/.exec(cause instanceof Error ? cause.message : "")?.[1] ?? "1";
    throw badFile([`${file}:${position}: this is not JSON`]);
  }
}

function lineOf(error: ErrorObject, lineAt: (path: readonly string[]) => number): number {
  const path = error.instancePath.split("/").slice(1);
  const extra = error.params.additionalProperty as string | undefined;
  return lineAt(extra === undefined ? path : [...path, extra]);
}

function describe(error: ErrorObject): string {
  const where = error.instancePath.slice(1).replaceAll("/", ".") || "the file";
  const { params } = error;
  if (error.keyword === "additionalProperties") {
    return `\`${String(params.additionalProperty)}\` is not a setting`;
  }
  if (error.keyword === "required") return `${where} lacks \`${String(params.missingProperty)}\``;
  if (error.keyword === "pattern")
    return `${where} is \`${String(error.data)}\`, which is not valid`;
  if (error.keyword === "format") {
    const what =
      params.format === "copr-contact" ? "neither an e-mail address nor a URL" : "not a URL";
    return `${where} is \`${String(error.data)}\`, which is ${what} that the server accepts`;
  }
  return `${where} ${error.message ?? "is wrong"}`;
}

function badFile(problems: readonly string[]): BootcError {
  return new BootcError(problems.join("\n"), {
    kind: "usage",
    hint: `the settings are described in ${SCHEMA_FILE}`,
  });
}
