// SPDX-License-Identifier: MIT
// OpenJDK's HttpServer and HttpClient in one process: threads and virtual threads, large bodies both ways, many requests at once,
// time-outs and refusals; NIO channels over TCP, UDP and a UNIX socket; a child process.
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.*;
import java.net.http.*;
import java.nio.ByteBuffer;
import java.nio.channels.*;
import java.nio.file.*;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;

public class Server {
    static final byte[] LARGE = new byte[3_000_000];

    static void check(boolean holds, String what) {
        if (!holds) throw new AssertionError(what);
    }

    static void answer(HttpExchange x) throws IOException {
        try (x) {
            String path = x.getRequestURI().getPath();
            byte[] in = x.getRequestBody().readAllBytes();
            byte[] out = path.equals("/large") ? LARGE : (x.getRequestMethod() + " " + path + " " + in.length).getBytes();
            if (path.equals("/slow")) sleep(3000);
            x.sendResponseHeaders(200, out.length);
            x.getResponseBody().write(out);
        } catch (IOException e) {
            if (!x.getRequestURI().getPath().equals("/slow")) throw e;
        }
    }

    static void sleep(long ms) {
        try {
            Thread.sleep(ms);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    static void http(ExecutorService threads, InetAddress at) throws Exception {
        HttpServer server = HttpServer.create(new InetSocketAddress(at, 0), 0);
        server.createContext("/", Server::answer);
        server.setExecutor(threads);
        server.start();
        String host = at instanceof Inet6Address ? "[::1]" : "127.0.0.1";
        String base = "http://" + host + ":" + server.getAddress().getPort();
        try (HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build()) {
            check(text(client, base + "/a").equals("GET /a 0"), "a request");
            List<CompletableFuture<HttpResponse<String>>> all = new ArrayList<>();
            for (int i = 0; i < 200; i++)
                all.add(client.sendAsync(HttpRequest.newBuilder(URI.create(base + "/" + i)).build(), HttpResponse.BodyHandlers.ofString()));
            for (int i = 0; i < 200; i++) check(all.get(i).get(600, TimeUnit.SECONDS).body().equals("GET /" + i + " 0"), "many requests");
            HttpRequest large = HttpRequest.newBuilder(URI.create(base + "/large")).build();
            check(Arrays.equals(client.send(large, HttpResponse.BodyHandlers.ofByteArray()).body(), LARGE), "a large answer");
            HttpRequest post = HttpRequest.newBuilder(URI.create(base + "/p")).POST(HttpRequest.BodyPublishers.ofByteArray(LARGE)).build();
            check(client.send(post, HttpResponse.BodyHandlers.ofString()).body().equals("POST /p 3000000"), "a large question");
            HttpRequest slow = HttpRequest.newBuilder(URI.create(base + "/slow")).timeout(Duration.ofMillis(300)).build();
            try {
                client.send(slow, HttpResponse.BodyHandlers.ofString());
                check(false, "no time-out");
            } catch (HttpTimeoutException e) {
                // as it should be
            }
        }
        server.stop(0);
        threads.shutdownNow();
        check(threads.awaitTermination(600, TimeUnit.SECONDS), "the threads end");
        try {
            new Socket(at, server.getAddress().getPort()).close();
            check(false, "somebody still listens");
        } catch (ConnectException e) {
            // as it should be
        }
    }

    static String text(HttpClient client, String url) throws Exception {
        return client.send(HttpRequest.newBuilder(URI.create(url)).build(), HttpResponse.BodyHandlers.ofString()).body();
    }

    // One selector for a listener and its connections.
    static void channels(SocketAddress at, StandardProtocolFamily family) throws Exception {
        try (ServerSocketChannel listener = ServerSocketChannel.open(family); Selector selector = Selector.open()) {
            listener.bind(at).configureBlocking(false);
            listener.register(selector, SelectionKey.OP_ACCEPT);
            SocketAddress where = listener.getLocalAddress();
            Thread client = Thread.ofVirtual().start(() -> {
                try (SocketChannel c = SocketChannel.open(family)) {
                    c.connect(where);
                    c.write(ByteBuffer.wrap("question".getBytes()));
                    ByteBuffer b = ByteBuffer.allocate(100);
                    c.read(b);
                    check(new String(b.array(), 0, b.position()).equals("question"), "an echo");
                } catch (IOException e) {
                    throw new RuntimeException(e);
                }
            });
            for (boolean open = true; open;) {
                selector.select();
                for (SelectionKey key : selector.selectedKeys()) {
                    if (key.isAcceptable()) {
                        SocketChannel c = listener.accept();
                        c.configureBlocking(false).register(selector, SelectionKey.OP_READ);
                    } else {
                        ByteBuffer b = ByteBuffer.allocate(100);
                        SocketChannel c = (SocketChannel) key.channel();
                        if (c.read(b) < 0) {
                            c.close();
                            open = false;
                        } else {
                            c.write(b.flip());
                        }
                    }
                }
                selector.selectedKeys().clear();
            }
            client.join();
        }
    }

    static void datagrams() throws Exception {
        try (DatagramSocket a = new DatagramSocket(0, InetAddress.getLoopbackAddress());
             DatagramSocket b = new DatagramSocket(0, InetAddress.getLoopbackAddress())) {
            a.send(new DatagramPacket("datagram".getBytes(), 8, b.getLocalSocketAddress()));
            DatagramPacket got = new DatagramPacket(new byte[100], 100);
            b.receive(got);
            check(new String(got.getData(), 0, got.getLength()).equals("datagram"), "a datagram");
            check(got.getSocketAddress().equals(a.getLocalSocketAddress()), "its sender");
            b.setSoTimeout(50);
            try {
                b.receive(got);
                check(false, "no time-out");
            } catch (SocketTimeoutException e) {
                // as it should be
            }
        }
    }

    static void child() throws Exception {
        Process p = new ProcessBuilder("cat").start();
        try (var in = p.getOutputStream()) {
            in.write(new byte[50_000]);
        }
        check(p.getInputStream().readAllBytes().length == 50_000 && p.waitFor() == 0, "a child");
    }

    public static void main(String[] arguments) throws Exception {
        new Random(1).nextBytes(LARGE);
        http(Executors.newFixedThreadPool(8), InetAddress.getByName("127.0.0.1"));
        http(Executors.newVirtualThreadPerTaskExecutor(), InetAddress.getByName("::1"));
        channels(new InetSocketAddress(InetAddress.getByName("127.0.0.1"), 0), StandardProtocolFamily.INET);
        channels(UnixDomainSocketAddress.of("/srv/java.sock"), StandardProtocolFamily.UNIX);
        Files.delete(Path.of("/srv/java.sock"));
        datagrams();
        child();
        check(NetworkInterface.getByName("lo") != null, "an interface");
        System.out.println("all is well");
    }
}
