%% SPDX-License-Identifier: MIT
%% What Erlang is claimed to do, a function a claim.
-module(claims).
-export([processes/0, tcp/0, local/0, sockets/0, datagrams/0, children/0, files/0, timers/0]).

processes() ->
    Self = self(),
    [spawn(fun() -> Self ! {sum, I * I} end) || I <- lists:seq(1, 20000)],
    io:format("sum ~p~n", [lists:sum([receive {sum, N} -> N end || _ <- lists:seq(1, 20000)])]).

%% A server that sends back what it gets, and forty clients at once.
echo(Address, Options) ->
    {ok, Listener} = gen_tcp:listen(0, [binary, {active, false}, {backlog, 100} | Options]),
    spawn_link(fun() -> accept(Listener) end),
    To = case Address of any -> {ok, Port} = inet:port(Listener), {{127, 0, 0, 1}, Port}; _ -> {Address, 0} end,
    Self = self(),
    [spawn_link(fun() -> client(To, binary:copy(<<I:32>>, 20000)), Self ! done end) || I <- lists:seq(1, 40)],
    [receive done -> ok end || _ <- lists:seq(1, 40)],
    io:format("all came back~n").

accept(Listener) ->
    {ok, Connection} = gen_tcp:accept(Listener),
    spawn(fun() -> send_back(Connection) end),
    accept(Listener).

send_back(Connection) ->
    case gen_tcp:recv(Connection, 0) of
        {ok, Data} -> gen_tcp:send(Connection, Data), send_back(Connection);
        {error, closed} -> ok
    end.

client({Address, Port}, Data) ->
    {ok, Connection} = gen_tcp:connect(Address, Port, [binary, {active, false}]),
    ok = gen_tcp:send(Connection, Data),
    {ok, Data} = gen_tcp:recv(Connection, byte_size(Data)),
    gen_tcp:close(Connection).

tcp() -> echo(any, []).
local() -> echo({local, "/srv/socket"}, [{ifaddr, {local, "/srv/socket"}}]).

%% The module socket, whose calls are the kernel's.
sockets() ->
    {ok, Listener} = socket:open(inet, stream, tcp),
    ok = socket:bind(Listener, #{family => inet, port => 0, addr => loopback}),
    ok = socket:listen(Listener),
    {ok, Address} = socket:sockname(Listener),
    {ok, Client} = socket:open(inet, stream, tcp),
    ok = socket:connect(Client, Address),
    {ok, Server} = socket:accept(Listener),
    ok = socket:send(Client, <<"abc">>),
    {ok, <<"abc">>} = socket:recv(Server, 3),
    io:format("all came back~n").

datagrams() ->
    {ok, Socket} = gen_udp:open(0, [binary, {active, false}]),
    {ok, Port} = inet:port(Socket),
    [begin
         ok = gen_udp:send(Socket, {127, 0, 0, 1}, Port, <<I:32>>),
         {ok, {_, _, <<I:32>>}} = gen_udp:recv(Socket, 0)
     end || I <- lists:seq(1, 500)],
    io:format("all came back~n").

children() ->
    Cat = open_port({spawn, "cat"}, [binary, stream]),
    port_command(Cat, <<"hello ">>),
    receive {Cat, {data, Hello}} -> io:format("~s", [Hello]) end,
    ["x\n" = os:cmd("echo x") || _ <- lists:seq(1, 30)],
    io:format("~s", [os:cmd("echo from a child")]),
    Status = open_port({spawn, "false"}, [exit_status]),
    receive {Status, {exit_status, 1}} -> ok end.

files() ->
    ok = file:write_file("/srv/file", binary:copy(<<"x">>, 1000000)),
    {ok, File} = file:open("/srv/file", [read, raw, binary]),
    {ok, [<<"xx">>, <<"x">>]} = file:pread(File, [{0, 2}, {999999, 10}]),
    ok = file:make_symlink("file", "/srv/link"),
    {ok, Data} = file:read_file("/srv/link"),
    io:format("~p bytes~n", [byte_size(Data)]).

timers() ->
    Start = erlang:monotonic_time(millisecond),
    receive after 200 -> ok end,
    true = erlang:monotonic_time(millisecond) - Start >= 200,
    io:format("no sooner~n").
