//! What the fake's workflows would run on this computer, and what may.
import type { HostExecution, HostPermission, HostProgram } from "../bindings";
import { emitter } from "./emitter";
import type { Handlers } from "./handlers";
import { failure, type StoredDocument, type World } from "./world";

type Part = Pick<Handlers, "hostExecutionGet" | "hostExecutionAllow" | "hostExecutionForbid" | "hostPermissionsList">;

export function hostExecutionHandlers(world: World): Part {
  const nameOf = ({ summary }: StoredDocument) => `${summary.namespace}/${summary.name}`;
  const view = (stored: StoredDocument): HostExecution => {
    const workflow = nameOf(stored);
    const permission = world.permissions.get(workflow);
    const programs = programsOf(stored.text).map((program) => ({ ...program, allowed: permission?.digests.includes(program.digest) ?? false }));
    const allowed = programs.length > 0 && programs.every((program) => program.allowed);
    return { workflow, programs, allowed, changed: permission !== undefined && programs.length > 0 && !allowed };
  };
  const list = (): HostPermission[] =>
    [...world.permissions].map(([workflow, { digests, allowedAt }]) => ({
      workflow,
      documentId: [...world.documents.values()].find((stored) => nameOf(stored) === workflow)?.summary.id ?? null,
      programs: digests.length,
      allowedAt,
    }));
  return {
    hostExecutionGet: ({ documentId }) => view(world.document(documentId)),
    hostExecutionAllow: ({ documentId, programs }) => {
      const stored = world.document(documentId);
      const digests = programsOf(stored.text).map((program) => program.digest);
      if (digests.join() !== programs.join()) throw failure("MD-508", "The document was changed since it was opened", "Its saved text would run something else than what was shown.", { kept: "Nothing was allowed." });
      world.permissions.set(nameOf(stored), { digests, allowedAt: new Date().toISOString() });
      emitter.emit("documentsChanged", { ids: [documentId] });
      return view(stored);
    },
    hostExecutionForbid: ({ workflow }) => {
      world.permissions.delete(workflow);
      emitter.emit("documentsChanged", { ids: [] });
      return list();
    },
    hostPermissionsList: list,
  };
}

/** Tasks on one line, such as `- greet: {run: {shell: {command: "echo hello"}}}`. */
function programsOf(text: string): HostProgram[] {
  const found = text.matchAll(/^ *- (\w+): \{run: \{(?:shell: \{command|script: \{language: (python), code): "([^"]*)"/gm);
  return [...found].map(([, name = "", python, code = ""], index) => ({
    kind: python ? "python" : "shell",
    name,
    task: `/do/${index}/${name}`,
    text: code,
    given: python ? [] : ['environment: {"LANG":"C"}'],
    digest: `${name}:${code}`,
    allowed: false,
  }));
}
