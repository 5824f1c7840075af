# An agent of the A2A SDK that says what it was told, as a message or, asked for `work`, as a task. Asked to `hold`, it
# goes on with its task once somebody follows it.
import asyncio, collections, socket, uvicorn
from starlette.applications import Starlette
from a2a.helpers.proto_helpers import new_task_from_user_message, new_text_message, new_text_status_update_event
from a2a.server.agent_execution.agent_executor import AgentExecutor
from a2a.server.request_handlers import DefaultRequestHandlerV2
from a2a.server.routes.jsonrpc_routes import create_jsonrpc_routes
from a2a.server.routes.agent_card_routes import create_agent_card_routes
from a2a.server.tasks import InMemoryPushNotificationConfigStore, InMemoryTaskStore
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, TaskState

followed = collections.defaultdict(asyncio.Event)

class Handler(DefaultRequestHandlerV2):
    async def on_subscribe_to_task(self, params, context):
        async for event in super().on_subscribe_to_task(params, context):
            followed[params.id].set()
            yield event

class Echo(AgentExecutor):
    async def execute(self, context, queue):
        said = context.get_user_input()
        if said not in ("work", "hold"):
            return await queue.enqueue_event(new_text_message("heard " + said))
        task = new_task_from_user_message(context.message)
        await queue.enqueue_event(task)
        for state in (TaskState.TASK_STATE_WORKING, TaskState.TASK_STATE_COMPLETED):
            await queue.enqueue_event(new_text_status_update_event(task.id, task.context_id, state, "on it"))
            if said == "hold":
                await followed[task.id].wait()
    async def cancel(self, context, queue):
        state = TaskState.TASK_STATE_CANCELED
        await queue.enqueue_event(new_text_status_update_event(context.task_id, context.context_id, state, "off it"))

taken = socket.socket()
taken.bind(("127.0.0.1", 0))
taken.listen()
url = "http://127.0.0.1:%d/" % taken.getsockname()[1]
def card(*versions, name="Echo"):
    return AgentCard(name=name, description="Says it again", version="1", default_input_modes=["text"],
        default_output_modes=["text"], capabilities=AgentCapabilities(streaming=True,
            push_notifications=True, extended_agent_card=True),
        supported_interfaces=[AgentInterface(url=url, protocol_binding="JSONRPC", protocol_version=version)
            for version in versions])
handler = Handler(agent_executor=Echo(), task_store=InMemoryTaskStore(), agent_card=card("1.0"),
    push_config_store=InMemoryPushNotificationConfigStore(),
    extended_agent_card=card("1.0", "0.3", name="Echo for those it knows"))
routes = create_agent_card_routes(card("1.0"), card_url="/1.0.json")
routes += create_agent_card_routes(card("0.3"), card_url="/0.3.json")
routes += create_jsonrpc_routes(handler, "/", enable_v0_3_compat=True)
print("serving", url, flush=True)
uvicorn.Server(uvicorn.Config(Starlette(routes=routes), log_level="error")).run(sockets=[taken])
