// Generated from flame-ipc. Do not edit: UPDATE=1 cargo test -p flame-ipc

/**  What of an answer does not fit the schema. */
export type AnswerMisfit = {
	/**  JSON pointer of the value, also of one that is missing; empty for the whole answer. */
	pointer: string,
	message: string,
};

/**  What became of an answer: it was taken, or does not fit and the task waits on. */
export type Answered = {
	/**  The run after the answer; none where it does not fit. */
	run: RunSummary | null,
	misfits: AnswerMisfit[],
};

export type AppInfoView = {
	version: string,
	platform: Platform,
	/**  None while the workspace is shut: the name stands in it. */
	workspaceName: string | null,
	dataFolder: string,
	/**  Where the sample pipeline looks for files. */
	inboxFolder: string,
	/**
	 *  Where what `file.write` wrote can be looked at: the folder itself, or in Podman that of the copy. None while
	 *  the workspace is shut, which says where the agent runs.
	 */
	outputFolder: string | null,
	/**  Where the daily copies of the documents are. */
	backupsFolder: string,
	/**  Where the agent's log is while it runs natively. */
	logsFolder: string,
	/**  Whether this start made the workspace. */
	firstStart: boolean,
};

export type AttemptView = {
	/**  Counts from 1. */
	number: number,
	startedAt: Moment,
	endedAt: Moment | null,
	status: RunStatus,
	error: DslError | null,
	/**  The wait after it. */
	backoffMs: Whole | null,
};

/**  Which documents or connections changed; empty means any. */
export type Changed = {
	ids: string[],
};

export type CheckState = "broken" | "warning" | "ok";

export type CheckStep = {
	name: string,
	status: StepStatus,
	detail: string,
	tookMs: Whole | null,
};

/**  How far the undoing of a run's completed tasks is, or came. */
export type CompensationView = {
	undone: Whole,
	/**  Given up by a person. */
	skipped: Whole,
	left: Whole,
	/**  Number of the one that waits for a person. */
	parked: Whole | null,
};

export type Connection = {
	id: string,
	/**  What documents refer to. */
	name: string,
	kind: string,
	/**  Host or path, for showing. */
	place: string,
	settings: Json,
	revision: Whole,
	hasSecret: boolean,
	state: ConnectionState,
	checkedAt: Moment | null,
	latencyMs: Whole | null,
	error: ErrorView | null,
	usedBy: ConnectionUser[],
};

/**  Tries a connection, saved or not yet. */
export type ConnectionCheck = {
	/**  The saved one whose secret is used when none is given. */
	id?: string | null,
	name: string,
	kind: string,
	settings: Json,
	secret?: string | null,
};

/**  Deletes a connection; its secret is kept until the undo has gone. */
export type ConnectionDelete = {
	id: string,
};

/**  A kind of system that can be connected. */
export type ConnectionKind = {
	kind: string,
	title: string,
	description: string,
	/**  JSON Schema of the settings, in the order of the form. */
	schema: Json,
	/**  The label of its secret; none when it has none. */
	secretLabel: string | null,
};

export type ConnectionReport = {
	healthy: boolean,
	steps: CheckStep[],
};

/**  Undoes a delete. */
export type ConnectionRestore = {
	undoToken: string,
};

/**  Saves a connection. MD-504 when a secret is given and the vault needs its passphrase. */
export type ConnectionSave = {
	/**  None: a new one. */
	id?: string | null,
	name: string,
	kind: string,
	settings: Json,
	/**  None: the secret stays as it is. */
	secret?: string | null,
	baseRevision?: Whole | null,
};

export type ConnectionState = "healthy" | "failing" | "unchecked";

export type ConnectionUser = {
	documentId: string,
	title: string,
};

/**  The agent's container while it runs in Podman. */
export type ContainerView = {
	id: string,
	name: string,
	image: string,
	/**  Podman's word, such as `running`. */
	status: string,
	startedAt: Moment | null,
	cpuPercent: Fraction,
	memoryBytes: Whole,
	memoryLimitBytes: Whole | null,
	pids: Whole,
	/**  What was verified after the start, such as `no new privileges`. */
	hardening: string[],
};

export type DeadLetter = {
	id: string,
	/**  `namespace/name` of the pipeline. */
	source: string,
	title: string,
	documentId: string | null,
	file: string | null,
	line: Whole | null,
	errorCode: string | null,
	error: string,
	at: Moment,
	tries: number,
	/**  The record as it came or was last edited: a CSV line or JSON. */
	record: string,
	/**  `text/csv` or `application/json`. */
	contentType: string,
	edited: boolean,
};

/**  Keeps an edited record beside the original. */
export type DeadLetterEdit = {
	id: string,
	/**  In the content type of the letter. */
	record: string,
};

export type DeadLetterPage = {
	items: DeadLetter[],
	next: string | null,
	total: Whole,
};

export type DeadLettersChanged = {
	total: Whole,
};

/**  Deletes dead letters for good; at most 1,000 at once. */
export type DeadLettersDiscard = {
	ids: string[],
};

/**  Dead letters, newest first. */
export type DeadLettersList = {
	/**  `namespace/name` of a pipeline. */
	source?: string | null,
	text?: string | null,
	cursor?: string | null,
	limit: number,
};

/**  Sends records again; at most 1,000 at once. */
export type DeadLettersSend = {
	ids: string[],
};

export type DeadLettersSent = {
	/**  How many went through. */
	sent: Whole,
	/**  How many came back with an error. */
	cameBack: Whole,
};

export type Deployed = {
	version: string,
	/**  Runs in flight that stay on the version they started with. */
	runsOnOlder: Whole,
};

export type DoctorCheck = {
	id: string,
	title: string,
	state: CheckState,
	detail: string,
	/**  Has a help page. */
	code: string | null,
	/**  To paste into a terminal. */
	command: string | null,
	/**  The label of the button that repairs it; none when a person must. */
	repair: string | null,
};

/**  Repairs one thing and checks again. */
export type DoctorRepair = {
	id: string,
};

export type DoctorReport = {
	checkedAt: Moment,
	tookMs: Whole,
	/**  Broken ones first, then warnings, then what is fine. */
	checks: DoctorCheck[],
};

/**  Makes a new document of a text. */
export type DocumentCreate = {
	kind: DocumentKind,
	text: string,
};

/**  Deletes a document and takes it off the agent; MD-104 while it has runs in flight. */
export type DocumentDelete = {
	id: string,
};

/**  Gives the saved text to the agent; MD-101 while it has errors. */
export type DocumentDeploy = {
	id: string,
};

/**  Makes a copy under a free name. */
export type DocumentDuplicate = {
	id: string,
};

/**  One document with its text. */
export type DocumentGet = {
	id: string,
};

/**  What was saved before, newest first. */
export type DocumentHistory = {
	id: string,
};

export type DocumentKind = "workflow" | "pipeline";

/**  Undoes a delete. */
export type DocumentRestore = {
	undoToken: string,
};

/**  A version of a document's text that was saved before. */
export type DocumentRevision = {
	revision: Whole,
	savedAt: Moment,
	textBytes: Whole,
};

/**  The text of an earlier revision. */
export type DocumentRevisionGet = {
	id: string,
	revision: Whole,
};

/**  An input to start from. */
export type DocumentSampleInput = {
	id: string,
};

/**  Saves a text, broken or not; MD-508 when it was changed since `baseRevision`. */
export type DocumentSave = {
	id: string,
	text: string,
	baseRevision: Whole,
};

export type DocumentSummary = {
	id: string,
	kind: DocumentKind,
	/**  Empty while the text can't be read as far as its name. */
	namespace: string,
	name: string,
	version: string,
	title: string,
	summary: string | null,
	trigger: Trigger,
	revision: Whole,
	updatedAt: Moment,
	deployedVersion: string | null,
	/**  The saved text is not what the agent runs. */
	changed: boolean,
	/**  Errors in the saved text; a document with errors can't be deployed. */
	problems: Whole,
	/**  Came with the app. */
	sample: boolean,
	/**  The last 20, oldest first. */
	lastRuns: RunBar[],
};

/**  A start for a new document. */
export type DocumentTemplate = {
	id: string,
	kind: DocumentKind,
	title: string,
	description: string,
	text: string,
};

/**  Starts a test run of a document; it is deployed first when its text is newer and has no errors. */
export type DocumentTest = {
	documentId: string,
	/**  JSON text. */
	input: string,
	/**  References of the tasks that give their pinned output. */
	pins: string[],
};

export type DocumentText = {
	summary: DocumentSummary,
	text: string,
};

/**  The specification's error object. */
export type DslError = {
	type: string,
	/**  The code that the detail begins with, such as `MD-407`; `helpPage` explains it. */
	code: string | null,
	status: number,
	title: string | null,
	detail: string | null,
	instance: string | null,
};

/**  What an acknowledgement promises: `full` survives a power cut, `normal` a crash of the process. */
export type Durability = "full" | "normal";

/**  The JSON Schema that the editor completes from. */
export type EditorSchema = {
	kind: DocumentKind,
};

/**  An event that a workflow emitted: a CloudEvent in the agent's log. */
export type EmittedEvent = {
	seq: Whole,
	at: Moment,
	id: string,
	source: string,
	type: string,
	subject: string | null,
	run: string | null,
	event: Json,
};

/**  What failed, with which value, what was kept safe, and what to do next. */
export type ErrorView = {
	/**  A stable code such as `MD-502`; `helpPage` explains it. */
	code: string,
	title: string,
	detail: string,
	/**  The value that was refused, shortened. */
	value: string | null,
	/**  What to do next. */
	hint: string | null,
	/**  What was kept safe. */
	kept: string | null,
};

export type EventPage = {
	items: EmittedEvent[],
	next: Whole | null,
};

/**  Events that workflows emitted, oldest first. */
export type EventsList = {
	/**  The CloudEvents type. */
	kind?: string | null,
	after?: Whole | null,
	limit: number,
};

/**  A watched folder of a pipeline and what became of its files. */
export type Feed = {
	documentId: string,
	title: string,
	folder: string,
	pattern: string,
	/**  Why the folder can't be watched. */
	error: ErrorView | null,
	/**  Newest first, at most 100. */
	files: FeedFile[],
	/**  The file that comes with the sample, as long as the pipeline is as it came and the file is there. */
	sample: FeedSample | null,
};

export type FeedFile = {
	file: string,
	state: FeedState,
	bytes: Whole,
	bytesDone: Whole,
	rows: Whole,
	/**  Rows that went to the dead letters. */
	rowsDead: Whole,
	updatedAt: Moment,
	error: ErrorView | null,
};

/**  Opens the folder that a deployed pipeline watches, made first where it is missing. */
export type FeedOpenFolder = {
	documentId: string,
};

export type FeedProgress = {
	documentId: string,
	file: FeedFile,
};

/**  A file to drop into a watched folder. */
export type FeedSample = {
	/**  Where it is. */
	path: string,
	/**  Of its first line. */
	columns: string[],
};

export type FeedState = 
/**  Still being written by someone. */
"settling" | "queued" | "reading" | "done" | "failed";

/**  A folder that the window may ask to have opened in the file manager. */
export type Folder = "data" | "inbox" | "output" | "backups" | "logs";

/**  A fraction such as a percentage; a value that is not finite becomes 0. */
export type Fraction = number;

export type HelpKind = "task" | "error";

/**  One page, by the keyword of a task or by an error code. */
export type HelpPage = {
	id: string,
};

export type HelpText = {
	/**  The keyword of a task, such as `for`, or an error code, such as `MD-404`. */
	id: string,
	kind: HelpKind,
	/**  Without the id. */
	title: string,
	/**  Markdown. */
	markdown: string,
	/**  YAML: a workflow that runs as it is. Only pages on tasks have one. */
	example: string | null,
};

/**  What a workflow's saved text would run on this computer, and whether it may. Of this device alone. */
export type HostExecution = {
	/**  `namespace/name`. */
	workflow: string,
	/**  In the order of the text; empty where it runs nothing of the kind, or can't be read. */
	programs: HostProgram[],
	/**  All of them may run. */
	allowed: boolean,
	/**  Something was allowed, but not all that the text would run now. */
	changed: boolean,
};

/**  Allows what was shown; MD-508 when the saved text would run something else by now. */
export type HostExecutionAllow = {
	documentId: string,
	/**  Digests of all programs that were shown. */
	programs: string[],
};

/**  Takes back everything that was allowed for a workflow; what runs already runs on. */
export type HostExecutionForbid = {
	/**  `namespace/name`. */
	workflow: string,
};

/**  What a document's saved text would run on this computer, and whether it may. */
export type HostExecutionGet = {
	documentId: string,
};

/**  A workflow that may run something on this computer. */
export type HostPermission = {
	/**  `namespace/name`. */
	workflow: string,
	/**  None where there is no such document any more. */
	documentId: string | null,
	/**  How many programs were allowed. */
	programs: Whole,
	allowedAt: Moment,
};

export type HostProgram = {
	kind: HostProgramKind,
	/**  Name of the task. */
	name: string,
	/**  Reference of the task, such as `/do/2/pack`. */
	task: string,
	/**  The command, the code, or the address that the code is fetched from. */
	text: string,
	/**  What it is given as the document writes it, such as `arguments: ["a"]`. */
	given: string[],
	/**  Stands for the program with its arguments, environment and standard input. */
	digest: string,
	allowed: boolean,
};

export type HostProgramKind = "shell" | "python" | "pythonSource" | "mcpServer";

export type JournalEntry = {
	seq: Whole,
	at: Moment,
	kind: string,
	/**  Reference of the task it is about. */
	task: string | null,
	data: Json,
};

export type JournalPage = {
	items: JournalEntry[],
	/**  Give it back as `after` for the next page. */
	next: Whole | null,
	/**  Entries at the beginning that are not kept any more. */
	compacted: Whole,
};

/**  Any JSON, for showing. What a person edits travels as text, so that no digit is lost. */
export type Json = unknown;

export type LogLine = {
	/**  Grows from line to line, as long as the agent runs in the same place. */
	seq: Whole,
	at: Moment | null,
	level: string,
	message: string,
};

/**  A moment as RFC 3339 in UTC with milliseconds, such as `2026-01-02T03:04:05.678Z`. */
export type Moment = string;

/**  Opens one of the app's own folders in the file manager. */
export type OpenFolder = {
	folder: Folder,
};

/**  A host that the agent called since it started. */
export type OutboundHost = {
	/**  Host and port, such as `pay.example.com:443`. */
	host: string,
	calls: Whole,
	/**  Calls of these that were refused, here or there, or got no answer. */
	failures: Whole,
	lastAt: Moment,
	/**  Workflows and connections that called it, by name. */
	callers: string[],
};

export type Overview = {
	/**  Runs that started inside the window. */
	runs: Whole,
	completed: Whole,
	faulted: Whole,
	durationP50Ms: Whole | null,
	durationP95Ms: Whole | null,
	/**  Runs in flight now, whenever they started. */
	queued: Whole,
	oldestWaitMs: Whole | null,
	/**  Whether the window held more runs than were counted: the figures are of the newest ones. */
	partial: boolean,
	buckets: OverviewBucket[],
};

export type OverviewBucket = {
	/**  Where the bucket begins. */
	at: Moment,
	total: Whole,
	completed: Whole,
	faulted: Whole,
	durationP95Ms: Whole | null,
	/**  Runs in flight where the bucket ends, whenever they started. */
	inFlight: Whole,
};

/**  Figures for Home. */
export type OverviewGet = {
	window: OverviewWindow,
};

export type OverviewWindow = "1h" | "24h" | "7d" | "30d";

/**  A task of a run that waits for a person. */
export type PersonTask = {
	run: string,
	/**  Reference of the task; an answer names it. */
	task: string,
	kind: PersonTaskKind,
	title: string,
	description: string | null,
	assignee: string | null,
	/**  The workflow's title, else its name. */
	workflow: string,
	/**  JSON Schema that the answer must fit. */
	schema: Json,
	since: Moment,
};

export type PersonTaskKind = 
/**  A yes or no. */
"approval" | "form";

/**  What a task gives in tests, instead of being executed. */
export type Pin = {
	/**  Reference of the task, such as `/do/2/charge`. */
	task: string,
	name: string,
	output: Json,
	/**  The run that gave it. */
	run: string,
	pinnedAt: Moment,
	/**  The saved text still has the task; without it, tests leave the pin out. */
	known: boolean,
};

/**  Pins what a task of a run gave, for tests of the run's workflow. */
export type PinAdd = {
	run: string,
	/**  Key of the task's visit. */
	task: string,
};

/**  Takes a pin away. */
export type PinRemove = {
	/**  `namespace/name`. */
	workflow: string,
	/**  Reference of the task. */
	task: string,
};

/**  Outputs that are pinned for tests of a workflow. */
export type PinsList = {
	/**  `namespace/name`. */
	workflow: string,
};

export type Platform = "linux" | "macos" | "windows";

export type PodmanState = "ready" | "missing" | "notRunning" | "unsupported" | "noPermission" | "broken";

/**  Whether the agent could run in Podman here. */
export type PodmanStatus = {
	state: PodmanState,
	version: string | null,
	rootless: boolean | null,
	error: ErrorView | null,
	/**  What a person can paste into a terminal to repair it. */
	command: string | null,
};

/**  A problem in a text. Lines and columns count from 1; a column counts UTF-16 units, as editors do. */
export type Problem = {
	severity: Severity,
	code: string,
	message: string,
	value: string | null,
	hint: string | null,
	line: number,
	column: number,
	endLine: number,
	endColumn: number,
};

/**  One bar of the last 20 runs. */
export type RunBar = {
	id: string,
	status: RunStatus,
	startedAt: Moment | null,
	durationMs: Whole | null,
};

/**  Ends a run that has not ended; with `compensate` what it did is undone first. */
export type RunCancel = {
	id: string,
	compensate?: boolean,
};

/**  Tries the compensation again that waits for a person, or gives it up. */
export type RunCompensation = {
	id: string,
	number: Whole,
	skip: boolean,
};

export type RunDetail = {
	summary: RunSummary,
	input: Json,
	output: Json | null,
	error: DslError | null,
	/**  Entries in the journal. */
	journalLength: Whole,
	/**  The agent's mode now; entries of before it was changed had the one that held then. */
	durability: Durability,
	/**  The text that the run is pinned to. */
	definition: string | null,
	/**  Once the run undoes what it did. */
	compensation: CompensationView | null,
	/**  Some task that completed can be undone, so a cancel may undo it. */
	undoable: boolean,
	/**  In order of appearance; tasks that were not reached are pending and carry no times. */
	tasks: TaskView[],
	/**  Entries of the journal before those that `tasks` are made of: a long run shows where it is or ended. */
	entriesOmitted: Whole,
};

export type RunEntries = {
	run: string,
	status: RunStatus,
	entries: JournalEntry[],
};

/**  `run-entries` comes for this run until `run_unfollow`; at most 8 at once, the oldest ends. */
export type RunFollow = {
	id: string,
};

/**  One run with its tasks. */
export type RunGet = {
	id: string,
};

/**  The journal, oldest first, after `after`. */
export type RunJournal = {
	id: string,
	after?: Whole | null,
	limit: number,
};

export type RunPage = {
	items: RunSummary[],
	/**  Give it back as `cursor` for the next page. */
	next: string | null,
	/**  How many match in all, where the agent counted them. */
	total: Whole | null,
};

/**  A new run from a task with edited input and context; without a task from the start. */
export type RunReplay = {
	id: string,
	task?: string | null,
	/**  JSON text. */
	input: string,
	/**  JSON text; none: as it was. */
	context?: string | null,
};

/**  Lets a suspended run go on where it was. */
export type RunResume = {
	id: string,
};

/**  Goes on at the task that faulted. */
export type RunRetry = {
	id: string,
};

/**  Starts a run of a document; it is deployed first when its text is newer and has no errors. */
export type RunStart = {
	documentId: string,
	/**  JSON text. */
	input: string,
};

/**  The specification's words for the state of a run or task. */
export type RunStatus = "pending" | "running" | "waiting" | "suspended" | "cancelled" | "faulted" | "completed";

export type RunSummary = {
	id: string,
	namespace: string,
	name: string,
	version: string,
	/**  The workflow's title, else its name. */
	title: string,
	/**  What the run is about, such as an order's number, where its input says so. */
	subject: string | null,
	status: RunStatus,
	startedBy: StartedBy,
	/**  It was started as a test. */
	test: boolean,
	createdAt: Moment,
	endedAt: Moment | null,
	/**  Until now when it has not ended. */
	durationMs: Whole,
	/**  The task it is at, or the one it faulted at. */
	currentTask: string | null,
	error: DslError | null,
};

/**  Halts a run until `run_resume`. */
export type RunSuspend = {
	id: string,
};

/**  The input and context of a task as they were, to edit and replay; without a task the run's input. */
export type RunTaskInput = {
	id: string,
	task?: string | null,
};

/**  A test run of one task of a run's workflow alone. */
export type RunTest = {
	id: string,
	/**  Reference of the task. */
	task: string,
	/**  JSON text of what flows into the task. */
	input: string,
	/**  JSON text; none: the input. */
	context?: string | null,
};

/**  Ends `run_follow`. */
export type RunUnfollow = {
	id: string,
};

export type RunsChanged = {
	/**  Newest state of each run that changed, at most 100. */
	runs: RunSummary[],
	/**  More changed than are listed: read the list again. */
	more: boolean,
};

/**  Runs, newest first. */
export type RunsList = {
	/**  Empty: all. */
	statuses?: RunStatus[],
	/**  `namespace/name`. */
	workflow?: string | null,
	/**
	 *  In the id, the subject, the name or the error; or conditions on fields of the input and
	 *  output, such as `input/customer/id=42 and output/state~paid`.
	 */
	text?: string | null,
	since?: Moment | null,
	cursor?: string | null,
	limit: number,
};

/**  Its log, oldest first, after `after`; at most 2,000 lines are kept. */
export type RuntimeLogs = {
	after?: Whole | null,
};

export type RuntimeMode = "native" | "podman";

export type RuntimePhase = "starting" | "ready" | 
/**  It runs and says that something keeps it from working fully, such as a full disk. */
"degraded" | "stopped" | 
/**  It ended too often and is not started again without a person. */
"failed" | "switching";

/**  The pill, the status bar and Settings read this. Figures are absent while they are not known. */
export type RuntimeStatus = {
	mode: RuntimeMode,
	phase: RuntimePhase,
	version: string | null,
	address: string | null,
	startedAt: Moment | null,
	/**  From the start of the process to its first healthy answer. */
	readyMs: Whole | null,
	/**  Restarts since the app was started. */
	restarts: number,
	durability: Durability | null,
	/**  How long the last commit took to reach the disk. */
	fsyncMs: Fraction | null,
	runsInFlight: Whole,
	runsWaiting: Whole,
	deadLetters: Whole,
	/**  Hosts that were called since the agent started. */
	outboundHosts: Whole,
	outboundCalls: Whole,
	memoryBytes: Whole | null,
	/**  The most that it could take: its container's limit, else what this machine has. */
	memoryLimitBytes: Whole | null,
	/**  Of one core: 100 is one core all the time. */
	cpuPercent: Fraction | null,
	/**  Cores that this machine has. */
	cpuCores: number | null,
	diskUsedBytes: Whole | null,
	diskFreeBytes: Whole | null,
	/**  When it last answered. */
	lastSeenAt: Moment | null,
	error: ErrorView | null,
};

/**  Moves it between native and Podman; `switch-progress` tells the steps. */
export type RuntimeSwitch = {
	mode: RuntimeMode,
};

/**  Input to start from: what was used last, else the sample's, else `{}`. */
export type SampleInput = {
	/**  JSON text. */
	text: string,
	origin: SampleOrigin,
};

export type SampleOrigin = "lastRun" | "sample" | "empty";

/**  Finds workflows, pipelines, connections and runs by words or id. */
export type Search = {
	text: string,
	limit: number,
};

/**  Something that the palette found. */
export type SearchHit = {
	kind: SearchKind,
	/**  Document id, run id or connection id. */
	id: string,
	title: string,
	detail: string,
};

export type SearchKind = "workflow" | "pipeline" | "connection" | "run";

export type Settings = {
	theme: Theme,
	/**  The agent goes on when the app is closed. */
	keepRunning: boolean,
	durability: Durability,
	/**  Keys without a modifier, such as `R`, are commands. */
	singleKeys: boolean,
	/**  The first steps on Home were closed by the person. */
	firstStepsHidden: boolean,
	runtimeMode: RuntimeMode,
};

/**  Only the given fields change. */
export type SettingsPatch = {
	theme?: Theme | null,
	keepRunning?: boolean | null,
	durability?: Durability | null,
	singleKeys?: boolean | null,
	firstStepsHidden?: boolean | null,
};

/**  Changes the given ones; durability restarts the agent. */
export type SettingsSet = {
	patch: SettingsPatch,
};

export type Severity = "error" | "warning";

export type StartKind = 
/**  Over the API: from this window or by another program. */
"api" | "webhook" | "schedule" | "replay" | 
/**  A task of another run. */
"workflow";

export type StartedBy = {
	kind: StartKind,
	/**  Such as `/hooks/orders`. */
	detail: string | null,
	/**  The run that this one replays. */
	replayOf: string | null,
};

/**  State of one step of a check or a switch. */
export type StepStatus = "pending" | "running" | "ok" | "failed" | "skipped";

/**  A switch between native and Podman, step by step. */
export type SwitchProgress = {
	to: RuntimeMode,
	steps: SwitchStep[],
	/**  Until the journal is handed over. */
	cancellable: boolean,
	done: boolean,
	error: ErrorView | null,
};

export type SwitchStep = {
	name: string,
	detail: string,
	status: StepStatus,
};

/**  Answers a task; MD-212 when it waits no more. */
export type TaskAnswer = {
	run: string,
	/**  Reference of the task. */
	task: string,
	/**  JSON text. */
	data: string,
};

/**  What a task had, as JSON texts for editors: no digit is lost on the way. */
export type TaskInput = {
	input: string,
	/**  `$context` when the task began; none for the run itself, whose input becomes its context. */
	context: string | null,
};

/**  One visit of one task. */
export type TaskView = {
	/**  Where it stands in the definition, such as `/do/5/chargeCard`. */
	reference: string,
	/**  Unique within the run: reference, iteration path and visit. */
	key: string,
	name: string,
	/**  Such as `call http` or `set`. */
	kind: string,
	depth: number,
	/**  The key of the task around it. */
	parent: string | null,
	/**  Such as `0` or `2.1` inside loops. */
	iteration: string | null,
	status: RunStatus,
	startedAt: Moment | null,
	endedAt: Moment | null,
	input: Json | null,
	output: Json | null,
	error: DslError | null,
	/**  One line about it, such as the case that a switch took. */
	note: string | null,
	attempts: AttemptView[],
	idempotencyKey: string | null,
	/**  It undoes what was done: by `mastra.io/compensate`, or inside `catch.do`. */
	compensation: boolean,
};

export type Theme = "system" | "light" | "dark";

export type Trigger = {
	kind: TriggerKind,
	/**  Such as `/hooks/orders`, `0 6 * * *` or `inbox/*.csv`; empty for manual. */
	detail: string,
	nextAt: Moment | null,
};

export type TriggerKind = "webhook" | "schedule" | "folder" | "manual";

/**  What a delete or a discard gives back so that it can be undone. */
export type Undo = {
	undoToken: string,
};

/**  All problems of a text. */
export type Validate = {
	kind: DocumentKind,
	text: string,
};

export type VaultState = "ready" | 
/**  The passphrase is needed. */
"locked" | 
/**  No secret was saved yet: the first unlock sets the passphrase. */
"new";

export type VaultStatusView = {
	store: VaultStore,
	state: VaultState,
	/**  Why the keychain is not used, in words. */
	detail: string | null,
};

export type VaultStore = "keychain" | 
/**  A file encrypted with a passphrase. */
"vault";

/**  Opens the vault, or makes it when there is none; MD-505 for a wrong passphrase. */
export type VaultUnlock = {
	passphrase: string,
};

/**  A whole number of anything: rows, bytes, milliseconds. At most 2^53 - 1. */
export type Whole = number;

/** Every command answers in this shape; nothing is thrown. */
export type Result<T> = { status: "ok"; data: T } | { status: "error"; error: ErrorView };

/** How calls and events travel: Tauri in the window, HTTP in a browser, a fake in tests. */
export interface Transport {
  /** Gives the answer, or throws the shell's `ErrorView`. */
  call(command: string, input: unknown): Promise<unknown>;
  /** Gives the function that ends the listening. */
  listen(event: string, handler: (payload: unknown) => void): Promise<() => void>;
}

function isErrorView(value: unknown): value is ErrorView {
  return typeof value === "object" && value !== null && "code" in value && "detail" in value;
}

async function settle<T>(call: Promise<unknown>): Promise<Result<T>> {
  try {
    return { status: "ok", data: (await call) as T };
  } catch (thrown) {
    if (isErrorView(thrown)) return { status: "error", error: thrown };
    const detail = thrown instanceof Error ? thrown.message : String(thrown);
    return {
      status: "error",
      error: { code: "MD-901", title: "A fault in Mastra itself", detail, value: null, hint: null, kept: null },
    };
  }
}

export interface Commands {
  /** Version, folders, whether this is the first start. */
  appInfo(): Promise<Result<AppInfoView>>;
  /** Opens one of the app's own folders in the file manager. */
  openFolder(input: OpenFolder): Promise<Result<null>>;
  /** Finds workflows, pipelines, connections and runs by words or id. */
  search(input: Search): Promise<Result<SearchHit[]>>;
  /** Figures for Home. */
  overview(input: OverviewGet): Promise<Result<Overview>>;
  /** All workflows and pipelines with their last 20 runs. */
  documentsList(): Promise<Result<DocumentSummary[]>>;
  /** One document with its text. */
  documentGet(input: DocumentGet): Promise<Result<DocumentText>>;
  /** Saves a text, broken or not; MD-508 when it was changed since `baseRevision`. */
  documentSave(input: DocumentSave): Promise<Result<DocumentSummary>>;
  /** Makes a new document of a text. */
  documentCreate(input: DocumentCreate): Promise<Result<DocumentSummary>>;
  /** Makes a copy under a free name. */
  documentDuplicate(input: DocumentDuplicate): Promise<Result<DocumentSummary>>;
  /** Deletes a document and takes it off the agent; MD-104 while it has runs in flight. */
  documentDelete(input: DocumentDelete): Promise<Result<Undo>>;
  /** Undoes a delete. */
  documentRestore(input: DocumentRestore): Promise<Result<DocumentSummary>>;
  /** What was saved before, newest first. */
  documentHistory(input: DocumentHistory): Promise<Result<DocumentRevision[]>>;
  /** The text of an earlier revision. */
  documentRevision(input: DocumentRevisionGet): Promise<Result<string>>;
  /** Starts for new documents. */
  templatesList(): Promise<Result<DocumentTemplate[]>>;
  /** All problems of a text. */
  validate(input: Validate): Promise<Result<Problem[]>>;
  /** The JSON Schema that the editor completes from. */
  editorSchema(input: EditorSchema): Promise<Result<Json>>;
  /** Gives the saved text to the agent; MD-101 while it has errors. */
  documentDeploy(input: DocumentDeploy): Promise<Result<Deployed>>;
  /** An input to start from. */
  documentSampleInput(input: DocumentSampleInput): Promise<Result<SampleInput>>;
  /** Watched folders and their files. */
  feedsList(): Promise<Result<Feed[]>>;
  /** Looks into the watched folders again, for files that no notice came for. */
  feedsRescan(): Promise<Result<null>>;
  /** Opens the folder that a deployed pipeline watches, made first where it is missing. */
  feedOpenFolder(input: FeedOpenFolder): Promise<Result<null>>;
  /** Starts a run of a document; it is deployed first when its text is newer and has no errors. */
  runStart(input: RunStart): Promise<Result<RunSummary>>;
  /** Runs, newest first. */
  runsList(input: RunsList): Promise<Result<RunPage>>;
  /** One run with its tasks. */
  runGet(input: RunGet): Promise<Result<RunDetail>>;
  /** The journal, oldest first, after `after`. */
  runJournal(input: RunJournal): Promise<Result<JournalPage>>;
  /** The input and context of a task as they were, to edit and replay; without a task the run's input. */
  runTaskInput(input: RunTaskInput): Promise<Result<TaskInput>>;
  /** `run-entries` comes for this run until `run_unfollow`; at most 8 at once, the oldest ends. */
  runFollow(input: RunFollow): Promise<Result<null>>;
  /** Ends `run_follow`. */
  runUnfollow(input: RunUnfollow): Promise<Result<null>>;
  /** Ends a run that has not ended; with `compensate` what it did is undone first. */
  runCancel(input: RunCancel): Promise<Result<RunSummary>>;
  /** Tries the compensation again that waits for a person, or gives it up. */
  runCompensation(input: RunCompensation): Promise<Result<RunSummary>>;
  /** Halts a run until `run_resume`. */
  runSuspend(input: RunSuspend): Promise<Result<RunSummary>>;
  /** Lets a suspended run go on where it was. */
  runResume(input: RunResume): Promise<Result<RunSummary>>;
  /** Goes on at the task that faulted. */
  runRetry(input: RunRetry): Promise<Result<RunSummary>>;
  /** A new run from a task with edited input and context; without a task from the start. */
  runReplay(input: RunReplay): Promise<Result<RunSummary>>;
  /** A test run of one task of a run's workflow alone. */
  runTest(input: RunTest): Promise<Result<RunSummary>>;
  /** Tasks of all runs that wait for a person, oldest run first. */
  tasksList(): Promise<Result<PersonTask[]>>;
  /** Answers a task; MD-212 when it waits no more. */
  taskAnswer(input: TaskAnswer): Promise<Result<Answered>>;
  /** Outputs that are pinned for tests of a workflow. */
  pinsList(input: PinsList): Promise<Result<Pin[]>>;
  /** Pins what a task of a run gave, for tests of the run's workflow. */
  pinAdd(input: PinAdd): Promise<Result<Pin[]>>;
  /** Takes a pin away. */
  pinRemove(input: PinRemove): Promise<Result<Pin[]>>;
  /** Starts a test run of a document; it is deployed first when its text is newer and has no errors. */
  documentTest(input: DocumentTest): Promise<Result<RunSummary>>;
  /** What a document's saved text would run on this computer, and whether it may. */
  hostExecutionGet(input: HostExecutionGet): Promise<Result<HostExecution>>;
  /** Allows what was shown; MD-508 when the saved text would run something else by now. */
  hostExecutionAllow(input: HostExecutionAllow): Promise<Result<HostExecution>>;
  /** Takes back everything that was allowed for a workflow; what runs already runs on. */
  hostExecutionForbid(input: HostExecutionForbid): Promise<Result<HostPermission[]>>;
  /** Workflows that may run something on this computer. */
  hostPermissionsList(): Promise<Result<HostPermission[]>>;
  /** What can be connected. */
  connectionKinds(): Promise<Result<ConnectionKind[]>>;
  /** All connections with their last check. */
  connectionsList(): Promise<Result<Connection[]>>;
  /** Saves a connection. MD-504 when a secret is given and the vault needs its passphrase. */
  connectionSave(input: ConnectionSave): Promise<Result<Connection>>;
  /** Tries a connection, saved or not yet. */
  connectionCheck(input: ConnectionCheck): Promise<Result<ConnectionReport>>;
  /** Deletes a connection; its secret is kept until the undo has gone. */
  connectionDelete(input: ConnectionDelete): Promise<Result<Undo>>;
  /** Undoes a delete. */
  connectionRestore(input: ConnectionRestore): Promise<Result<Connection>>;
  /** Where secrets are kept. */
  vaultStatus(): Promise<Result<VaultStatusView>>;
  /** Opens the vault, or makes it when there is none; MD-505 for a wrong passphrase. */
  vaultUnlock(input: VaultUnlock): Promise<Result<VaultStatusView>>;
  /** Dead letters, newest first. */
  deadLettersList(input: DeadLettersList): Promise<Result<DeadLetterPage>>;
  /** Keeps an edited record beside the original. */
  deadLetterEdit(input: DeadLetterEdit): Promise<Result<DeadLetter>>;
  /** Sends records again; at most 1,000 at once. */
  deadLettersSend(input: DeadLettersSend): Promise<Result<DeadLettersSent>>;
  /** Deletes dead letters for good; at most 1,000 at once. */
  deadLettersDiscard(input: DeadLettersDiscard): Promise<Result<Whole>>;
  /** Events that workflows emitted, oldest first. */
  eventsList(input: EventsList): Promise<Result<EventPage>>;
  /** All settings. */
  settingsGet(): Promise<Result<Settings>>;
  /** Changes the given ones; durability restarts the agent. */
  settingsSet(input: SettingsSet): Promise<Result<Settings>>;
  /** Its state and figures now. */
  runtimeStatus(): Promise<Result<RuntimeStatus>>;
  /** Stops it, runs and all, and starts it again; runs go on where they were. */
  runtimeRestart(): Promise<Result<RuntimeStatus>>;
  /** Its log, oldest first, after `after`; at most 2,000 lines are kept. */
  runtimeLogs(input: RuntimeLogs): Promise<Result<LogLine[]>>;
  /** Moves it between native and Podman; `switch-progress` tells the steps. */
  runtimeSwitch(input: RuntimeSwitch): Promise<Result<null>>;
  /** Gives up a switch while that is still possible. */
  runtimeSwitchCancel(): Promise<Result<null>>;
  /** The switch that is under way. */
  runtimeSwitchProgress(): Promise<Result<SwitchProgress | null>>;
  /** Whether Podman could be used. */
  podmanStatus(): Promise<Result<PodmanStatus>>;
  /** The agent's container; none while it runs natively. */
  containerGet(): Promise<Result<ContainerView | null>>;
  /** Every host that it called since it started, most recent first. */
  outboundList(): Promise<Result<OutboundHost[]>>;
  /** Checks everything; takes seconds at most. */
  doctorCheck(): Promise<Result<DoctorReport>>;
  /** Repairs one thing and checks again. */
  doctorRepair(input: DoctorRepair): Promise<Result<DoctorReport>>;
  /** Every page: the kinds of tasks first, then the error codes. */
  helpPages(): Promise<Result<HelpText[]>>;
  /** One page, by the keyword of a task or by an error code. */
  helpPage(input: HelpPage): Promise<Result<HelpText>>;
}

/** The commands over a transport. */
export function commandsOver(transport: Transport): Commands {
  return {
    appInfo: () => settle(transport.call("app_info", {})),
    openFolder: (input) => settle(transport.call("open_folder", input)),
    search: (input) => settle(transport.call("search", input)),
    overview: (input) => settle(transport.call("overview", input)),
    documentsList: () => settle(transport.call("documents_list", {})),
    documentGet: (input) => settle(transport.call("document_get", input)),
    documentSave: (input) => settle(transport.call("document_save", input)),
    documentCreate: (input) => settle(transport.call("document_create", input)),
    documentDuplicate: (input) => settle(transport.call("document_duplicate", input)),
    documentDelete: (input) => settle(transport.call("document_delete", input)),
    documentRestore: (input) => settle(transport.call("document_restore", input)),
    documentHistory: (input) => settle(transport.call("document_history", input)),
    documentRevision: (input) => settle(transport.call("document_revision", input)),
    templatesList: () => settle(transport.call("templates_list", {})),
    validate: (input) => settle(transport.call("validate", input)),
    editorSchema: (input) => settle(transport.call("editor_schema", input)),
    documentDeploy: (input) => settle(transport.call("document_deploy", input)),
    documentSampleInput: (input) => settle(transport.call("document_sample_input", input)),
    feedsList: () => settle(transport.call("feeds_list", {})),
    feedsRescan: () => settle(transport.call("feeds_rescan", {})),
    feedOpenFolder: (input) => settle(transport.call("feed_open_folder", input)),
    runStart: (input) => settle(transport.call("run_start", input)),
    runsList: (input) => settle(transport.call("runs_list", input)),
    runGet: (input) => settle(transport.call("run_get", input)),
    runJournal: (input) => settle(transport.call("run_journal", input)),
    runTaskInput: (input) => settle(transport.call("run_task_input", input)),
    runFollow: (input) => settle(transport.call("run_follow", input)),
    runUnfollow: (input) => settle(transport.call("run_unfollow", input)),
    runCancel: (input) => settle(transport.call("run_cancel", input)),
    runCompensation: (input) => settle(transport.call("run_compensation", input)),
    runSuspend: (input) => settle(transport.call("run_suspend", input)),
    runResume: (input) => settle(transport.call("run_resume", input)),
    runRetry: (input) => settle(transport.call("run_retry", input)),
    runReplay: (input) => settle(transport.call("run_replay", input)),
    runTest: (input) => settle(transport.call("run_test", input)),
    tasksList: () => settle(transport.call("tasks_list", {})),
    taskAnswer: (input) => settle(transport.call("task_answer", input)),
    pinsList: (input) => settle(transport.call("pins_list", input)),
    pinAdd: (input) => settle(transport.call("pin_add", input)),
    pinRemove: (input) => settle(transport.call("pin_remove", input)),
    documentTest: (input) => settle(transport.call("document_test", input)),
    hostExecutionGet: (input) => settle(transport.call("host_execution_get", input)),
    hostExecutionAllow: (input) => settle(transport.call("host_execution_allow", input)),
    hostExecutionForbid: (input) => settle(transport.call("host_execution_forbid", input)),
    hostPermissionsList: () => settle(transport.call("host_permissions_list", {})),
    connectionKinds: () => settle(transport.call("connection_kinds", {})),
    connectionsList: () => settle(transport.call("connections_list", {})),
    connectionSave: (input) => settle(transport.call("connection_save", input)),
    connectionCheck: (input) => settle(transport.call("connection_check", input)),
    connectionDelete: (input) => settle(transport.call("connection_delete", input)),
    connectionRestore: (input) => settle(transport.call("connection_restore", input)),
    vaultStatus: () => settle(transport.call("vault_status", {})),
    vaultUnlock: (input) => settle(transport.call("vault_unlock", input)),
    deadLettersList: (input) => settle(transport.call("dead_letters_list", input)),
    deadLetterEdit: (input) => settle(transport.call("dead_letter_edit", input)),
    deadLettersSend: (input) => settle(transport.call("dead_letters_send", input)),
    deadLettersDiscard: (input) => settle(transport.call("dead_letters_discard", input)),
    eventsList: (input) => settle(transport.call("events_list", input)),
    settingsGet: () => settle(transport.call("settings_get", {})),
    settingsSet: (input) => settle(transport.call("settings_set", input)),
    runtimeStatus: () => settle(transport.call("runtime_status", {})),
    runtimeRestart: () => settle(transport.call("runtime_restart", {})),
    runtimeLogs: (input) => settle(transport.call("runtime_logs", input)),
    runtimeSwitch: (input) => settle(transport.call("runtime_switch", input)),
    runtimeSwitchCancel: () => settle(transport.call("runtime_switch_cancel", {})),
    runtimeSwitchProgress: () => settle(transport.call("runtime_switch_progress", {})),
    podmanStatus: () => settle(transport.call("podman_status", {})),
    containerGet: () => settle(transport.call("container_get", {})),
    outboundList: () => settle(transport.call("outbound_list", {})),
    doctorCheck: () => settle(transport.call("doctor_check", {})),
    doctorRepair: (input) => settle(transport.call("doctor_repair", input)),
    helpPages: () => settle(transport.call("help_pages", {})),
    helpPage: (input) => settle(transport.call("help_page", input)),
  };
}

/** What the shell tells without being asked: name and payload. */
export interface Events {
  /** The agent's state or figures changed. */
  runtimeStatus: RuntimeStatus;
  /** Runs began, moved or ended. */
  runsChanged: RunsChanged;
  /** New journal entries of a run that is followed. */
  runEntries: RunEntries;
  /** Documents were saved, deployed, deleted or restored. */
  documentsChanged: Changed;
  /** Connections were saved, checked, deleted or restored. */
  connectionsChanged: Changed;
  /** The number of dead letters changed. */
  deadLettersChanged: DeadLettersChanged;
  /** A file of a watched folder moved on. */
  feedProgress: FeedProgress;
  /** A switch between native and Podman moved on. */
  switchProgress: SwitchProgress;
  /** Settings changed. */
  settingsChanged: Settings;
}

export const eventNames = {
  runtimeStatus: "runtime-status",
  runsChanged: "runs-changed",
  runEntries: "run-entries",
  documentsChanged: "documents-changed",
  connectionsChanged: "connections-changed",
  deadLettersChanged: "dead-letters-changed",
  feedProgress: "feed-progress",
  switchProgress: "switch-progress",
  settingsChanged: "settings-changed",
} as const satisfies Record<keyof Events, string>;

/** Calls the handler for every event of that name until the returned function is called. */
export function listenOver<Name extends keyof Events>(
  transport: Transport,
  name: Name,
  handler: (payload: Events[Name]) => void,
): Promise<() => void> {
  return transport.listen(eventNames[name], (payload) => handler(payload as Events[Name]));
}

