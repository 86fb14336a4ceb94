// What a booted state runs, and what it prints: a section for each question, with its status.
import { checkMarks } from "../marks.ts";

export interface Section {
  readonly status: number;
  readonly text: string;
}

const BEGIN = "== ";
const END = "-- ";
const ENDING = `status=$?; echo; echo "${END}$status"`;

/** The folder of the images, which the guest mounts, and in it the image that the next update brings. */
export interface GuestImages {
  readonly folder: string;
  readonly os: string;
}

/** Without images, the machine is not updated. */
export function guestScript(images?: GuestImages): string {
  return formatQuestions({
    running: "systemctl is-system-running --wait",
    failed: "systemctl --failed --no-legend --plain",
    status: "bootc status --json",
    marks: checkMarks(),
    ...(images && { upgrade: upgradeTo(images) }),
  });
}

function upgradeTo({ folder, os }: GuestImages): string {
  return [
    "mkdir /run/images",
    `mount -r -t hostfs -o ${folder} none /run/images`,
    `ln -s /run/images/${os} /run/os`,
    "bootc upgrade --quiet",
  ].join(" && ");
}

/** Exported for tests. Shell commands by the name of what they answer; one that fails does not stop the others. */
export function formatQuestions(commands: Readonly<Record<string, string>>): string {
  return Object.entries(commands)
    .map(([name, command]) => `echo '${BEGIN}${name}'\n( ${command} ) 2>&1\n${ENDING}\n`)
    .join("");
}

/** The answers, as far as they are complete. If a machine has run the script twice, none counts. */
export function parseSections(output: string): ReadonlyMap<string, Section> {
  const sections = new Map<string, Section>();
  let name = "";
  let lines: string[] = [];
  for (const line of output.split("\n")) {
    if (line.startsWith(BEGIN)) [name, lines] = [line.slice(BEGIN.length), []];
    else if (line.startsWith(END) && name !== "") {
      if (sections.has(name)) return new Map();
      sections.set(name, {
        status: Number(line.slice(END.length)),
        text: lines.join("\n").trim(),
      });
      name = "";
    } else lines.push(line);
  }
  return sections;
}
