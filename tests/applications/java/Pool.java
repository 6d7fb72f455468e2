import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.io.IOException;
import java.sql.SQLException;

/**
 * An application in Java: four workers that query a database through a pool of HikariCP with Connector/J.
 *
 * <p>Each query is one line on standard output: the time of its end in milliseconds since 1970, and "ok" or "failed" with the error. It
 * ends with its standard input. The arguments are host and port; neither changes while it runs.
 */
public final class Pool {
  private static final int WORKERS = 4;

  private Pool() {}

  public static void main(String[] arguments) throws IOException {
    HikariConfig config = new HikariConfig();
    config.setJdbcUrl(
        "jdbc:mysql://" + arguments[0] + ":" + arguments[1] + "/shop?connectTimeout=10000&socketTimeout=5000&sslMode=DISABLED");
    config.setUsername("root");
    config.setMaximumPoolSize(WORKERS);
    config.setConnectionTimeout(10_000);
    config.setValidationTimeout(5_000);
    config.setMaxLifetime(600_000);
    // The pool also starts where nothing answers yet.
    config.setInitializationFailTimeout(-1);
    HikariDataSource pool = new HikariDataSource(config);
    for (int worker = 0; worker < WORKERS; worker++) {
      Thread thread = new Thread(() -> work(pool));
      thread.setDaemon(true);
      thread.start();
    }
    while (System.in.read() >= 0) {}
    System.exit(0);
  }

  private static void work(HikariDataSource pool) {
    while (true) {
      String line = "ok";
      try {
        query(pool);
      } catch (SQLException error) {
        line = "failed " + String.valueOf(error.getMessage()).replace('\n', ' ');
      }
      System.out.println(System.currentTimeMillis() + " " + line);
      try {
        Thread.sleep(20);
      } catch (InterruptedException ended) {
        return;
      }
    }
  }

  private static void query(HikariDataSource pool) throws SQLException {
    try (var connection = pool.getConnection();
        var statement = connection.prepareStatement("SELECT item FROM orders WHERE id = 1");
        var rows = statement.executeQuery()) {
      if (!rows.next()) {
        throw new SQLException("the row is not there");
      }
    }
  }
}
