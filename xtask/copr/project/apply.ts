// `xtask copr apply`: makes the project and the package on the server match copr/project.json.
import { BootcError } from "../../../src/errors.ts";
import {
  addProject,
  chrootsOf,
  editProject,
  getPackage,
  getProject,
  listMockChroots,
  putPackage,
} from "../api.ts";
import { type Connection, isRecord } from "../connection.ts";
import { findBranched } from "./branching.ts";
import { type PackageSettings, PROJECT_FILE, type ProjectFile } from "./project-file.ts";

type Settings = Readonly<Record<string, unknown>>;

export interface Change {
  readonly subject: "project" | "package";
  /** With `add`, everything is new; with `edit`, only the listed fields change. */
  readonly action: "add" | "edit";
  readonly fields: readonly FieldChange[];
}

export interface FieldChange {
  readonly name: string;
  /** False for a setting that the server accepts but never shows, so it is set every time. */
  readonly isReported: boolean;
  readonly from: unknown;
  readonly to: unknown;
}

/** The changes that make the server match `file`. */
export async function readChanges(copr: Connection, file: ProjectFile): Promise<readonly Change[]> {
  await requireChroots(copr, file);
  const project = await getProject(copr, file);
  const pkg = project === undefined ? undefined : await getPackage(copr, file, file.package.name);
  const kept = project === undefined ? [] : keptChroots(file, project);
  if (kept.length > 0) {
    copr.note(
      `${kept.join(", ")}: left as the server added them when Fedora branched; ` +
        `list them in ${PROJECT_FILE}: in \`chroots\` to manage them, in \`excludedChroots\` to remove them`,
    );
  }
  return decideChanges(file, { project, pkg, kept });
}

function keptChroots(file: ProjectFile, project: Settings): readonly string[] {
  const isFollowing = file.followFedoraBranching ?? project.follow_fedora_branching === true;
  const branched = isFollowing ? findBranched(file.chroots, chrootsOf(project)) : [];
  return branched.filter((it) => file.excludedChroots?.includes(it) !== true);
}

/** Finds chroots that the server does not offer before anything is changed. */
async function requireChroots(copr: Connection, file: ProjectFile): Promise<void> {
  const offered = await listMockChroots(copr);
  const unknown = file.chroots.filter((it) => !offered.includes(it));
  if (unknown.length === 0) return;
  throw new BootcError(
    `\`${copr.url}\` does not offer ${unknown.map((it) => `\`${it}\``).join(", ")}`,
    {
      hint: "remove the chroot from copr/project.json; the server switches off old releases",
    },
  );
}

interface ServerState {
  readonly project: Settings | undefined;
  readonly pkg: Settings | undefined;
  /** The project's chroots that the server added. */
  readonly kept: readonly string[];
}

function decideChanges(file: ProjectFile, { project, pkg, kept }: ServerState): readonly Change[] {
  return [
    ...changesOf("project", {
      want: projectFields(file, kept),
      have: project && { ...project, chroots: chrootsOf(project).toSorted() },
    }),
    ...changesOf("package", { want: packageFields(file.package), have: pkg && flatPackage(pkg) }),
  ];
}

function changesOf(
  subject: Change["subject"],
  { want, have }: { readonly want: Settings; readonly have: Settings | undefined },
): readonly Change[] {
  const fields = Object.entries(want)
    .filter(([name, to]) => !isSame(have?.[name], to))
    .map(([name, to]) => ({
      name,
      isReported: have === undefined || name in have,
      from: have?.[name],
      to,
    }));
  if (have !== undefined && fields.length === 0) return [];
  return [{ subject, action: have === undefined ? "add" : "edit", fields }];
}

/** Forms may change the ends of lines, and remove space at the end. */
function isSame(have: unknown, want: unknown): boolean {
  const plain = (value: unknown) =>
    typeof value === "string" ? value.replaceAll("\r\n", "\n").trimEnd() : JSON.stringify(value);
  return plain(have) === plain(want);
}

function projectFields(file: ProjectFile, kept: readonly string[]): Settings {
  return withoutUndefined({
    description: file.description,
    instructions: file.instructions,
    homepage: file.homepage,
    contact: file.contact,
    chroots: [...file.chroots, ...kept].toSorted(),
    enable_net: file.enableNet ?? false,
    follow_fedora_branching: file.followFedoraBranching,
    unlisted_on_hp: file.unlistedOnHomepage,
  });
}

function packageFields(settings: PackageSettings): Settings {
  return withoutUndefined({
    clone_url: settings.cloneUrl,
    committish: settings.committish,
    subdirectory: settings.subdirectory ?? "",
    spec: settings.spec ?? "",
    scm_type: "git",
    source_build_method: "make_srpm",
    webhook_rebuild: settings.webhookRebuild ?? true,
    max_builds: settings.maxBuilds,
    timeout: settings.timeoutSeconds,
  });
}

/** Gives the fields of an answer the names that they have in requests. */
function flatPackage(pkg: Settings): Settings {
  const source = isRecord(pkg.source_dict) ? pkg.source_dict : {};
  return {
    clone_url: source.clone_url ?? "",
    committish: source.committish ?? "",
    subdirectory: source.subdirectory ?? "",
    spec: source.spec ?? "",
    scm_type: source.type ?? "",
    source_build_method: source.srpm_build_method ?? source.source_build_method ?? "",
    webhook_rebuild: pkg.auto_rebuild ?? false,
    ...("max_builds" in pkg ? { max_builds: pkg.max_builds ?? 0 } : {}),
    ...("timeout" in pkg ? { timeout: pkg.timeout } : {}),
  };
}

function withoutUndefined(settings: Settings): Settings {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}

/** Makes the changes. This can be repeated after an interruption, because it starts from what exists. */
export async function applyChanges(
  copr: Connection,
  file: ProjectFile,
  changes: readonly Change[],
): Promise<void> {
  for (const change of changes) {
    copr.note(`${change.action === "add" ? "creating" : "changing"} the ${change.subject}`);
    if (change.subject === "project") await applyToProject(copr, file, change);
    else await applyToPackage(copr, file, change);
  }
}

async function applyToProject(copr: Connection, file: ProjectFile, change: Change): Promise<void> {
  if (change.action === "edit") {
    await editProject(copr, file, fieldsOf(change));
    return;
  }
  await addProject(copr, file.owner, { name: file.project, ...fieldsOf(change) });
}

async function applyToPackage(copr: Connection, file: ProjectFile, change: Change): Promise<void> {
  // Fills in the whole form, because older servers treat missing fields as empty.
  const json = { package_name: file.package.name, ...packageFields(file.package) };
  await putPackage(copr, file, { verb: change.action, json });
}

function fieldsOf(change: Change): Settings {
  return Object.fromEntries(change.fields.map((it) => [it.name, it.to]));
}

/** The differences, one line each: `~ package committish: "main" -> "next"`. */
export function describeChanges(changes: readonly Change[]): readonly string[] {
  return changes.flatMap((change) =>
    change.fields.map((field) => {
      const name = `${change.subject} ${field.name}`;
      if (!field.isReported) {
        return `? ${name}: ${JSON.stringify(field.to)} (the server does not show it; set again)`;
      }
      if (change.action === "add") return `+ ${name}: ${JSON.stringify(field.to)}`;
      if (Array.isArray(field.from) && Array.isArray(field.to)) {
        return `~ ${name}: ${describeSets(field.from, field.to)}`;
      }
      return `~ ${name}: ${JSON.stringify(field.from)} -> ${JSON.stringify(field.to)}`;
    }),
  );
}

function describeSets(from: readonly unknown[], to: readonly unknown[]): string {
  return [
    ...to.filter((it) => !from.includes(it)).map((it) => `+${String(it)}`),
    ...from.filter((it) => !to.includes(it)).map((it) => `-${String(it)}`),
  ].join(" ");
}
