import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import javax.security.sasl.AuthenticationException;
import org.apache.hive.service.auth.PasswdAuthenticationProvider;

/** Lets the user lake in with the password of the file that the system property lake.thrift.password names; nobody else. */
public class LakeAuthentication implements PasswdAuthenticationProvider {
  @Override
  public void Authenticate(String user, String password) throws AuthenticationException {
    byte[] wanted;
    try {
      wanted = Files.readAllBytes(Path.of(System.getProperty("lake.thrift.password")));
    } catch (Exception e) {
      throw new AuthenticationException("no password file");
    }
    byte[] given = password == null ? new byte[0] : password.getBytes(StandardCharsets.UTF_8);
    if (!"lake".equals(user) || wanted.length == 0 || !MessageDigest.isEqual(wanted, given)) {
      throw new AuthenticationException("wrong user or password");
    }
  }
}
